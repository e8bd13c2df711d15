//! The two systems on the morning of day 1, and what happens to them until the morning of day 2.

use crate::customer::{Customer, Person, System};
use crate::random::Random;
use chrono::{Duration, NaiveDate, NaiveDateTime};
use std::collections::BTreeMap;

/// Persons whom at least one system knows on day 1.
const PERSONS: u64 = 5_000;
/// Of them, those whom only the CRM knows come first, then those whom both know, then the ERP's own.
const CRM_ONLY: u64 = 3_000;
const IN_BOTH: u64 = 1_000;
/// Of those in both, the first have the same mail address in both; the others only the same telephone number.
const SAME_EMAIL: u64 = 700;

/// An order of the ERP.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: String,
    /// The ERP's customer.
    pub customer_id: String,
    pub ordered_at: NaiveDateTime,
    /// In cents; none where the ERP's text is no number.
    pub amount: Option<i64>,
    pub status: &'static str,
    pub modified: NaiveDateTime,
}

/// Everything that both systems hold at one moment.
#[derive(Debug, Clone)]
pub struct World {
    /// The day of the extraction, which begins at 06:00 UTC.
    pub day: NaiveDate,
    pub customers: BTreeMap<(System, String), Customer>,
    pub orders: Vec<Order>,
    /// Records as they were before a change that the extraction cannot see, because it came later than the lookback.
    pub unseen: BTreeMap<(System, String), Customer>,
    /// Older copies of records, which a walk over moving pages meets besides the newer ones.
    pub repeated: Vec<Customer>,
    /// Customers that stand for a kind of change, by the kind.
    pub named: BTreeMap<&'static str, String>,
}

/// The moment of an extraction.
pub fn extraction_time(day: NaiveDate) -> NaiveDateTime {
    day.and_hms_opt(6, 0, 0).expect("six o'clock exists")
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a day of the calendar")
}

fn seconds(random: &mut Random, from: NaiveDateTime, to: NaiveDateTime) -> NaiveDateTime {
    let span = u64::try_from((to - from).num_seconds().max(1)).expect("a span forwards");
    from + Duration::seconds(i64::try_from(random.below(span)).expect("a span of years"))
}

fn crm_id(number: u64) -> String {
    format!("C-{number:05}")
}

fn erp_id(number: u64) -> String {
    format!("E-{number:05}")
}

/// The world on the morning of day 1.
pub fn day_1(random: &mut Random) -> World {
    let day = date(2026, 3, 2);
    let mut world = World {
        day,
        customers: BTreeMap::new(),
        orders: vec![],
        unseen: BTreeMap::new(),
        repeated: vec![],
        named: BTreeMap::new(),
    };
    for number in 0..PERSONS {
        let person = Person::new(random, number);
        if number < CRM_ONLY + IN_BOTH {
            let both = number >= CRM_ONLY;
            let customer = crm_customer(random, &person, number, day, both);
            world.put(customer);
        }
        if number >= CRM_ONLY {
            let customer = erp_customer(random, &person, number, day);
            world.put(customer);
        }
    }
    add_traps(random, &mut world);
    add_orders(random, &mut world, 1_600);
    world
}

fn crm_customer(random: &mut Random, person: &Person, number: u64, day: NaiveDate, in_both: bool) -> Customer {
    let created = seconds(random, date(2023, 1, 1).into(), date(2026, 2, 1).into());
    let newest = extraction_time(day) - Duration::minutes(20);
    let modified =
        seconds(random, created, newest) + Duration::milliseconds(i64::try_from(number % 1000).expect("small"));
    let mut customer = Customer::new(System::Crm, crm_id(number), created, modified);
    let first = Some(person.first_name).filter(|_| in_both || !random.chance(1));
    customer.set_name(random, first, Some(person.last_name));
    let email = Some(person.email.as_str()).filter(|_| in_both || !random.chance(6));
    customer.set_email(random, email);
    let phone = Some(person.phone.as_str()).filter(|_| in_both || !random.chance(10));
    customer.set_phone(random, phone);
    let city = Some(person.city).filter(|_| !random.chance(4));
    customer.set_address(random, city);
    customer.is_deleted = !in_both && number % 150 == 7;
    customer
}

fn erp_customer(random: &mut Random, person: &Person, number: u64, day: NaiveDate) -> Customer {
    let created = seconds(random, date(2023, 1, 1).into(), date(2026, 2, 1).into());
    let modified = seconds(random, created, extraction_time(day) - Duration::minutes(20));
    let mut customer = Customer::new(System::Erp, erp_id(number), created, modified);
    let in_both = number < CRM_ONLY + IN_BOTH;
    let same_email = number < CRM_ONLY + SAME_EMAIL;
    customer.set_name(random, Some(person.first_name), Some(person.last_name));
    let has_email = if in_both { same_email } else { !random.chance(15) };
    customer.set_email(random, Some(person.email.as_str()).filter(|_| has_email));
    let has_phone = if in_both && !same_email { true } else { !random.chance(20) };
    customer.set_phone(random, Some(person.phone.as_str()).filter(|_| has_phone));
    let city = Some(person.city).filter(|_| !random.chance(8));
    customer.set_address(random, city);
    customer.credit_limit =
        Some(i64::try_from(random.below(40)).expect("small") * 25_000).filter(|_| !random.chance(5));
    customer.is_deleted = number % 200 == 9;
    customer
}

/// Records on which a careless deduplication fails.
fn add_traps(random: &mut Random, world: &mut World) {
    let created = date(2024, 5, 6).and_hms_opt(7, 8, 9).expect("a time of day");
    // Within the CRM a person stands twice, changed in the same millisecond: only a total order decides.
    for number in 0..30 {
        let mut twin = world.customers[&(System::Crm, crm_id(number * 20 + 1))].clone();
        twin.id = crm_id(6_000 + number);
        let email = format!("twin{number}@example.org");
        twin.set_email(random, Some(&email));
        let original = world.crm(number * 20 + 1);
        original.set_email(random, Some(&email));
        twin.created = original.created + Duration::days(1);
        twin.is_deleted = original.is_deleted;
        world.put(twin);
    }
    // Two households share a line each, with mail addresses of their own; a third record has only the number.
    for number in 0..10 {
        let line = format!("35122900{number:04}");
        for member in 0..2 {
            let mut customer = Customer::new(System::Crm, crm_id(6_100 + number * 2 + member), created, created);
            customer.set_name(random, Some("Rosa"), Some("Vidal"));
            customer.set_email(random, Some(&format!("line{number}.{member}@example.org")));
            customer.set_phone(random, Some(&line));
            world.put(customer);
        }
        let mut alone = Customer::new(System::Erp, erp_id(6_100 + number), created, created);
        alone.set_name(random, Some("Vera"), Some("Vidal"));
        alone.set_phone(random, Some(&line));
        world.put(alone);
    }
    // A customer number that is another customer's telephone number.
    let mut numbered = Customer::new(System::Erp, "351229990001".to_owned(), created, created);
    numbered.set_name(random, Some("Wim"), Some("Jansen"));
    world.put(numbered);
    let mut called = Customer::new(System::Crm, crm_id(6_200), created, created);
    called.set_name(random, Some("Paula"), Some("Novak"));
    called.set_phone(random, Some("351229990001"));
    world.put(called);
    // The newest row of the first extraction: it is the watermark from which the second one asks.
    let watermark = extraction_time(world.day) - Duration::milliseconds(78_877);
    world.crm(2_999).modified = watermark;
    let erp_watermark = extraction_time(world.day) - Duration::seconds(85);
    let newest = world.erp(4_998);
    newest.modified = erp_watermark;
}

fn add_orders(random: &mut Random, world: &mut World, count: usize) {
    let customers: Vec<String> =
        world.customers.keys().filter(|(system, _)| *system == System::Erp).map(|(_, id)| id.clone()).collect();
    let day = extraction_time(world.day);
    for number in 0..count {
        // A few customers order much, many nothing.
        let range = if random.chance(50) { customers.len() as u64 / 12 } else { customers.len() as u64 / 2 };
        let customer_id = customers[usize::try_from(random.below(range)).expect("few") * 2 + 1].clone();
        let oldest = if random.chance(30) { 60 } else { 600 };
        let age = random.below(oldest);
        let ordered_at = seconds(random, day - Duration::days(1), day - Duration::hours(2))
            - Duration::days(i64::try_from(age).expect("few days"));
        let order = new_order(random, number, customer_id, ordered_at);
        world.orders.push(order);
    }
}

fn new_order(random: &mut Random, number: usize, customer_id: String, ordered_at: NaiveDateTime) -> Order {
    let large = if random.chance(8) { 900_000 } else { 40_000 };
    let status = match random.below(20) {
        0 => "cancelled",
        1 => "returned",
        2..5 => "shipped",
        _ => "completed",
    };
    Order {
        id: format!("O-{number:06}"),
        customer_id,
        ordered_at,
        amount: Some(900 + i64::try_from(random.below(large)).expect("small")).filter(|_| number % 600 != 11),
        status,
        modified: ordered_at + Duration::minutes(i64::try_from(random.below(90)).expect("few minutes")),
    }
}

/// What happens between the two extractions.
pub fn day_2(random: &mut Random, before: &World) -> World {
    let mut world = before.clone();
    world.day = date(2026, 3, 3);
    let mut moment = extraction_time(before.day);
    let mut next = || {
        moment += Duration::seconds(97);
        moment
    };
    change_values(random, &mut world, &mut next);
    delete_and_return(random, &mut world, &mut next);
    arrive_late(random, &mut world, before);
    add_new(random, &mut world, &mut next);
    change_orders(random, &mut world);
    // Pages move while they are walked: three changed records are met twice, first as they were.
    world.repeated = [101, 102, 103].map(|number| before.customers[&(System::Crm, crm_id(number))].clone()).to_vec();
    world
}

fn change_values(random: &mut Random, world: &mut World, next: &mut impl FnMut() -> NaiveDateTime) {
    for number in 101..221 {
        let email = format!("moved{number}@example.org");
        world.crm(number).change(next()).set_email(random, Some(&email));
    }
    for number in 301..381 {
        let phone = format!("3512277{number:05}");
        world.crm(number).change(next()).set_phone(random, Some(&phone));
    }
    for number in 3_001..3_061 {
        world.crm(number).change(next()).set_address(random, Some(2));
    }
    for number in 401..441 {
        let first = world.crm(number).meaning.first_name.clone();
        world.crm(number).change(next()).set_name(random, first.as_deref(), Some("Ribeiro"));
    }
    for number in 501..521 {
        world.crm(number).change(next()).set_email(random, None);
    }
    // Written again with blanks and capitals: nothing that cleansing keeps.
    for number in 521..536 {
        let same = world.crm(number).meaning.email.clone();
        world.crm(number).change(next()).set_email(random, same.as_deref());
    }
    for number in 4_301..4_351 {
        let limit = 100_000 + i64::try_from(number).expect("small") * 100;
        world.erp(number).change(next()).credit_limit = Some(limit);
    }
    world.named.insert("email_changed", format!("CRM:{}", crm_id(110)));
    world.named.insert("address_changed", format!("CRM:{}", crm_id(3_005)));
    world.named.insert("name_changed", format!("CRM:{}", crm_id(402)));
    world.named.insert("written_again_without_change", format!("CRM:{}", crm_id(525)));
}

fn delete_and_return(random: &mut Random, world: &mut World, next: &mut impl FnMut() -> NaiveDateTime) {
    for number in 601..611 {
        world.crm(number).change(next()).is_deleted = true;
    }
    for number in 611..616 {
        let tombstone = world.crm(number).change(next());
        tombstone.is_deleted = true;
        tombstone.is_bare = true;
    }
    // Deleted in the CRM, alive in the ERP: the customer stays, with the ERP's values.
    for number in 3_101..3_111 {
        world.crm(number).change(next()).is_deleted = true;
    }
    for number in [4_401, 4_402, 4_403, 4_404, 4_405, 3_201, 3_202, 3_203, 3_204, 3_205] {
        world.erp(number).change(next()).is_deleted = true;
    }
    // Tombstones of day 1 that come back to life.
    for number in [7, 157, 307, 457, 607] {
        let returned = world.crm(number).change(next());
        returned.is_deleted = false;
        returned.is_bare = false;
        returned.set_email(random, Some(&format!("back{number}@example.org")));
    }
    world.named.insert("deleted", format!("CRM:{}", crm_id(602)));
    world.named.insert("deleted_without_values", format!("CRM:{}", crm_id(612)));
    world.named.insert("deleted_in_crm_alive_in_erp", format!("CRM:{}", crm_id(3_102)));
    world.named.insert("reappeared", format!("CRM:{}", crm_id(157)));
}

/// Rows that carry a stamp from before the first extraction but became visible only after it.
fn arrive_late(random: &mut Random, world: &mut World, before: &World) {
    let watermark = extraction_time(before.day) - Duration::milliseconds(78_877);
    for number in 701..713 {
        let stamp = watermark - Duration::seconds(i64::try_from(number - 700).expect("small") * 45);
        world.crm(number).change(stamp).set_phone(random, Some(&format!("3512288{number:05}")));
    }
    let key = (System::Crm, crm_id(713));
    world.unseen.insert(key.clone(), world.customers[&key].clone());
    world.crm(713).change(watermark - Duration::hours(3)).set_phone(random, Some("351228800713"));
    world.named.insert("late_within_lookback", format!("CRM:{}", crm_id(703)));
    world.named.insert("late_beyond_lookback", format!("CRM:{}", crm_id(713)));
}

fn add_new(random: &mut Random, world: &mut World, next: &mut impl FnMut() -> NaiveDateTime) {
    for number in 7_000..7_040 {
        let person = Person::new(random, number);
        let stamp = next();
        let mut customer = crm_customer(random, &person, number, world.day, true);
        (customer.created, customer.modified) = (stamp, stamp);
        world.put(customer);
        // Ten of them are known to the ERP at once.
        if number < 7_010 {
            let mut same = erp_customer(random, &person, number, world.day);
            same.set_email(random, Some(&person.email));
            same.is_deleted = false;
            (same.created, same.modified) = (stamp, stamp);
            world.put(same);
        }
    }
    for number in 7_040..7_050 {
        let person = Person::new(random, number);
        let stamp = next();
        let mut customer = erp_customer(random, &person, number, world.day);
        customer.set_email(random, Some(&person.email));
        customer.is_deleted = false;
        (customer.created, customer.modified) = (stamp, stamp);
        world.put(customer);
    }
    world.named.insert("new", format!("CRM:{}", crm_id(7_020)));
}

fn change_orders(random: &mut Random, world: &mut World) {
    let since = extraction_time(world.day) - Duration::days(1);
    let until = extraction_time(world.day) - Duration::hours(2);
    for index in (40..1_540).step_by(100) {
        world.orders[index].status = "returned";
        world.orders[index].modified = seconds(random, since, until);
    }
    let customers: Vec<String> = world.orders.iter().step_by(17).map(|order| order.customer_id.clone()).collect();
    for number in 1_600..1_750 {
        let ordered_at = seconds(random, since, until);
        let customer_id = random.pick(&customers).clone();
        let order = new_order(random, number, customer_id, ordered_at);
        world.orders.push(order);
    }
}

impl World {
    fn put(&mut self, customer: Customer) {
        self.customers.insert((customer.system, customer.id.clone()), customer);
    }

    fn crm(&mut self, number: u64) -> &mut Customer {
        self.customers.get_mut(&(System::Crm, crm_id(number))).expect("a customer of the CRM")
    }

    fn erp(&mut self, number: u64) -> &mut Customer {
        self.customers.get_mut(&(System::Erp, erp_id(number))).expect("a customer of the ERP")
    }
}

impl Customer {
    /// The record, stamped as changed at a moment.
    fn change(&mut self, moment: NaiveDateTime) -> &mut Self {
        self.modified = moment;
        self
    }
}
