//! A customer record of one system: what it means, and the (often untidy) way in which the system delivers it.

use crate::random::Random;
use crate::words::{CITIES, FIRST_NAMES, LAST_NAMES, STREETS};
use chrono::NaiveDateTime;

/// The system that a record stands in. The order is the order of trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// The CRM, read over REST.
    Crm,
    /// The ERP, read from its database.
    Erp,
}

/// The values of a record. `None` is NULL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    /// Street, city, country code; as delivered it is one text, kept in `Customer::delivered_address`.
    pub address: Option<(String, String, String)>,
}

/// One customer record of one system.
#[derive(Debug, Clone)]
pub struct Customer {
    pub system: System,
    pub id: String,
    /// What cleansing must find.
    pub meaning: Values,
    /// What the system delivers, but for the address.
    pub delivered: Values,
    /// The address as the system delivers it: JSON from the CRM, `street; city; country` from the ERP.
    pub delivered_address: Option<String>,
    /// In cents; ERP only.
    pub credit_limit: Option<i64>,
    pub is_deleted: bool,
    /// A tombstone that has lost all its values.
    pub is_bare: bool,
    pub created: NaiveDateTime,
    pub modified: NaiveDateTime,
}

impl Customer {
    /// A record without values.
    pub fn new(system: System, id: String, created: NaiveDateTime, modified: NaiveDateTime) -> Self {
        Self {
            system,
            id,
            meaning: Values::default(),
            delivered: Values::default(),
            delivered_address: None,
            credit_limit: None,
            is_deleted: false,
            is_bare: false,
            created,
            modified,
        }
    }

    /// `CRM:C-00017`: the record's name among all systems.
    pub fn qualified_id(&self) -> String {
        format!("{}:{}", if self.system == System::Crm { "CRM" } else { "ERP" }, self.id)
    }

    /// First and last name, as one text.
    pub fn full_name(&self) -> Option<String> {
        let parts: Vec<&str> =
            [&self.meaning.first_name, &self.meaning.last_name].into_iter().flatten().map(String::as_str).collect();
        if parts.is_empty() { None } else { Some(parts.join(" ")) }
    }

    /// Gives the record a name, sometimes in capitals, in small letters or with blanks around it.
    pub fn set_name(&mut self, random: &mut Random, first: Option<&str>, last: Option<&str>) {
        let way = random.below(20);
        let soil = |name: &str| match way {
            0 if can_lose_its_case(name) => name.to_uppercase(),
            1 if can_lose_its_case(name) => name.to_lowercase(),
            2 => format!("  {name} "),
            _ => name.to_owned(),
        };
        self.meaning.first_name = first.map(str::to_owned);
        self.meaning.last_name = last.map(str::to_owned);
        self.delivered.first_name = first.map(soil);
        self.delivered.last_name = last.map(soil);
    }

    /// Gives the record a mail address, or one of the many ways in which a system says that it has none.
    pub fn set_email(&mut self, random: &mut Random, email: Option<&str>) {
        self.meaning.email = email.map(str::to_owned);
        self.delivered.email = match email {
            Some(email) => Some(match random.below(12) {
                0 => email.to_uppercase(),
                1 => format!(" {email} "),
                _ => email.to_owned(),
            }),
            None => match random.below(7) {
                0 | 1 => None,
                2 => Some(String::new()),
                3 => Some("not-an-email".to_owned()),
                4 => Some("ana@@example.com".to_owned()),
                5 => Some("two words@example.com".to_owned()),
                _ => Some("someone@localhost".to_owned()),
            },
        };
    }

    /// Gives the record a telephone number (digits only), or one of the ways in which a system says that it has none.
    pub fn set_phone(&mut self, random: &mut Random, phone: Option<&str>) {
        self.meaning.phone = phone.map(str::to_owned);
        self.delivered.phone = match phone {
            Some(digits) => {
                let (head, tail) = digits.split_at(digits.len() - 7);
                Some(match random.below(4) {
                    0 => digits.to_owned(),
                    1 => format!("+{head} {} {}", &tail[..3], &tail[3..]),
                    2 => format!("({head}) {}-{}", &tail[..3], &tail[3..]),
                    _ => format!(" +{head}.{tail}"),
                })
            }
            None => match random.below(5) {
                0 | 1 => None,
                2 => Some(String::new()),
                3 => Some("n/a".to_owned()),
                _ => Some("-".to_owned()),
            },
        };
    }

    /// Gives the record an address, or a way of having none; from the CRM that may be JSON that breaks off.
    pub fn set_address(&mut self, random: &mut Random, city: Option<usize>) {
        self.meaning.address = None;
        let Some((name, country, _)) = city.map(|city| CITIES[city]) else {
            self.delivered_address = match (self.system, random.below(4)) {
                (_, 0) => None,
                (_, 1) => Some(String::new()),
                (System::Crm, 2) => Some("{\"street\":\"12 Elm".to_owned()),
                (System::Crm, _) => Some("see notes".to_owned()),
                (System::Erp, _) => Some(" ; ; ".to_owned()),
            };
            return;
        };
        let street = format!("{} {}", 1 + random.below(180), random.pick(STREETS));
        let written = if random.chance(10) { country.to_lowercase() } else { country.to_owned() };
        self.delivered_address = Some(match self.system {
            System::Crm => serde_json::json!({"street": street, "city": name, "country": written}).to_string(),
            System::Erp => format!("{street}; {name}; {written}"),
        });
        self.meaning.address = Some((street, name.to_owned(), country.to_owned()));
    }
}

/// Whether `INITCAP` gives a name back that was written in one case.
fn can_lose_its_case(name: &str) -> bool {
    !["McLean", "de la Cruz", "O'Brien"].contains(&name)
}

/// A person whom the systems may know. Mail address and telephone number are nobody else's.
#[derive(Debug, Clone)]
pub struct Person {
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub email: String,
    pub phone: String,
    pub city: usize,
}

impl Person {
    /// The person with a number.
    pub fn new(random: &mut Random, number: u64) -> Self {
        let (first_name, first_slug) = *random.pick(FIRST_NAMES);
        let (last_name, last_slug) = *random.pick(LAST_NAMES);
        let city = usize::try_from(random.below(CITIES.len() as u64)).expect("few cities");
        Self {
            first_name,
            last_name,
            email: format!("{first_slug}.{last_slug}{number}@example.com"),
            phone: format!("{}2{:08}", CITIES[city].2, 1_000_000 + number * 7919),
            city,
        }
    }
}
