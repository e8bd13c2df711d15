//! The invented words that customers are made of. Each name stands beside its form in mail addresses.

/// First names.
pub const FIRST_NAMES: &[(&str, &str)] = &[
    ("Ana", "ana"),
    ("Bruno", "bruno"),
    ("Carla", "carla"),
    ("David", "david"),
    ("Élodie", "elodie"),
    ("Fatima", "fatima"),
    ("Gustav", "gustav"),
    ("Hanna", "hanna"),
    ("Ivan", "ivan"),
    ("Jürgen", "jurgen"),
    ("Kenji", "kenji"),
    ("Łukasz", "lukasz"),
    ("Maria", "maria"),
    ("Nadia", "nadia"),
    ("Oscar", "oscar"),
    ("Paula", "paula"),
    ("Quentin", "quentin"),
    ("Rosa", "rosa"),
    ("Søren", "soren"),
    ("Teresa", "teresa"),
    ("Ursula", "ursula"),
    ("Vera", "vera"),
    ("Wim", "wim"),
    ("Ximena", "ximena"),
    ("Yusuf", "yusuf"),
    ("Zoë", "zoe"),
    ("José María", "jose.maria"),
    ("Anne-Marie", "annemarie"),
];

/// Last names. Those that begin within themselves (`McLean`, `de la Cruz`) are typed well in every system, since no
/// rule gives their case back.
pub const LAST_NAMES: &[(&str, &str)] = &[
    ("Silva", "silva"),
    ("Müller", "muller"),
    ("Novak", "novak"),
    ("Rossi", "rossi"),
    ("Dubois", "dubois"),
    ("Jansen", "jansen"),
    ("Kowalski", "kowalski"),
    ("Larsen", "larsen"),
    ("Moreno", "moreno"),
    ("Nguyễn", "nguyen"),
    ("Okafor", "okafor"),
    ("Petrov", "petrov"),
    ("Quiroga", "quiroga"),
    ("Ribeiro", "ribeiro"),
    ("Sato", "sato"),
    ("Tanaka", "tanaka"),
    ("Urban", "urban"),
    ("Vidal", "vidal"),
    ("Weber", "weber"),
    ("Yilmaz", "yilmaz"),
    ("Zieliński", "zielinski"),
    ("McLean", "mclean"),
    ("de la Cruz", "delacruz"),
    ("O'Brien", "obrien"),
    ("Smith-Jones", "smithjones"),
    ("李", "li"),
];

/// City, country, and the country's telephone prefix.
pub const CITIES: &[(&str, &str, &str)] = &[
    ("Porto", "PT", "351"),
    ("Lisboa", "PT", "351"),
    ("Berlin", "DE", "49"),
    ("München", "DE", "49"),
    ("Lyon", "FR", "33"),
    ("Milano", "IT", "39"),
    ("Kraków", "PL", "48"),
    ("Århus", "DK", "45"),
    ("Gent", "BE", "32"),
    ("Utrecht", "NL", "31"),
    ("Bilbao", "ES", "34"),
    ("Cork", "IE", "353"),
];

/// Streets, behind a number.
pub const STREETS: &[&str] =
    &["Elm St", "Rua do Sol", "Hauptstr", "Rue Neuve", "Via Roma", "Park Lane", "Long Row", "Mill Rd", "Kirkegade"];
