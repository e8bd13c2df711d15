//! What the pipeline must find, computed from what the records mean, without SQL.

use crate::customer::{Customer, System};
use crate::world::{Order, World};
use chrono::{Duration, NaiveDateTime};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A customer as the dimension shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    pub full_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub address: Option<(String, String, String)>,
    pub source_systems: String,
    pub segment: &'static str,
    /// Changes by the mere passing of time, so it is no part of the dimension's history.
    pub status: &'static str,
}

/// The customers of one day.
pub struct Truth {
    /// By customer id; only those with a live record.
    pub customers: BTreeMap<String, Golden>,
    /// The customer that each record belongs to, dead ones included.
    pub customer_of: BTreeMap<(System, String), String>,
}

/// The records as the extraction can see them.
pub fn visible(world: &World) -> BTreeMap<(System, String), Customer> {
    let mut records = world.customers.clone();
    records.extend(world.unseen.clone());
    for record in records.values_mut().filter(|record| record.is_bare) {
        record.meaning = crate::customer::Values::default();
    }
    records
}

/// The customers that the records and orders of a world amount to.
pub fn truth(world: &World) -> Truth {
    let records = visible(world);
    let mut emails_of_phone: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for record in records.values() {
        if let (Some(email), Some(phone)) = (&record.meaning.email, &record.meaning.phone) {
            emails_of_phone.entry(phone).or_default().insert(email);
        }
    }
    let mut groups: BTreeMap<String, Vec<&Customer>> = BTreeMap::new();
    for record in records.values() {
        groups.entry(match_key(record, &emails_of_phone)).or_default().push(record);
    }
    let mut customer_of = BTreeMap::new();
    let mut members_of: BTreeMap<String, Vec<&Customer>> = BTreeMap::new();
    for mut members in groups.into_values() {
        members.sort_by_key(|record| (record.system, record.created.date(), record.id.clone()));
        let identity = members[0].qualified_id();
        for record in &members {
            customer_of.insert((record.system, record.id.clone()), identity.clone());
        }
        members_of.insert(identity, members);
    }
    let as_of = world.orders.iter().map(|order| order.ordered_at).max().unwrap_or_default();
    let mut orders_of: BTreeMap<&str, Vec<&Order>> = BTreeMap::new();
    for order in &world.orders {
        if let Some(customer) = customer_of.get(&(System::Erp, order.customer_id.clone())) {
            orders_of.entry(customer).or_default().push(order);
        }
    }
    let mut customers = BTreeMap::new();
    for (identity, members) in members_of {
        let orders = orders_of.get(identity.as_str()).map_or(&[][..], Vec::as_slice);
        if let Some(golden) = golden(&members, orders, as_of) {
            customers.insert(identity, golden);
        }
    }
    Truth { customers, customer_of }
}

fn match_key(record: &Customer, emails_of_phone: &BTreeMap<&str, BTreeSet<&str>>) -> String {
    if let Some(email) = &record.meaning.email {
        return format!("email:{email}");
    }
    let Some(phone) = &record.meaning.phone else { return format!("record:{}", record.qualified_id()) };
    match emails_of_phone.get(phone.as_str()) {
        Some(emails) if emails.len() == 1 => format!("email:{}", emails.iter().next().expect("one")),
        _ => format!("phone:{phone}"),
    }
}

fn golden(members: &[&Customer], orders: &[&Order], as_of: NaiveDateTime) -> Option<Golden> {
    let mut live: Vec<&Customer> = members.iter().copied().filter(|record| !record.is_deleted).collect();
    live.sort_by_key(|record| (record.system, std::cmp::Reverse(record.modified), record.id.clone()));
    let best = live.first()?;
    let systems: BTreeSet<&str> =
        live.iter().map(|record| if record.system == System::Crm { "CRM" } else { "ERP" }).collect();
    Some(Golden {
        full_name: best.full_name(),
        email: live.iter().find_map(|record| record.meaning.email.clone()),
        phone: live.iter().find_map(|record| record.meaning.phone.clone()),
        address: best.meaning.address.clone(),
        source_systems: systems.into_iter().collect::<Vec<_>>().join("+"),
        segment: segment(orders),
        status: status(orders, as_of),
    })
}

fn segment(orders: &[&Order]) -> &'static str {
    let counted = |order: &&Order| match order.status {
        "completed" | "shipped" => order.amount,
        _ => Some(0),
    };
    let amounts: Vec<i64> = orders.iter().filter_map(counted).collect();
    match amounts.iter().sum::<i64>() {
        _ if amounts.is_empty() => "Unknown",
        1_000_001.. => "Platinum",
        500_001.. => "Gold",
        100_001.. => "Silver",
        _ => "Bronze",
    }
}

fn status(orders: &[&Order], as_of: NaiveDateTime) -> &'static str {
    let Some(last) = orders.iter().map(|order| order.ordered_at).max() else { return "Unknown" };
    match as_of.date() - last.date() {
        age if age < Duration::days(30) => "Active",
        age if age < Duration::days(90) => "At Risk",
        _ => "Churned",
    }
}

/// What an end-to-end test compares: row counts of both days, what changed, and named customers.
pub fn expectations(day_1: &World, day_2: &World) -> Value {
    let (first, second) = (truth(day_1), truth(day_2));
    let mut new = vec![];
    let mut changed = vec![];
    for (id, golden) in &second.customers {
        match first.customers.get(id) {
            None => new.push(id.as_str()),
            Some(before) if tracked(before) != tracked(golden) => changed.push(id.as_str()),
            Some(_) => {}
        }
    }
    let closed: Vec<&str> =
        first.customers.keys().filter(|id| !second.customers.contains_key(*id)).map(String::as_str).collect();
    let ever: BTreeSet<&String> = first.customers.keys().chain(second.customers.keys()).collect();
    let versions = first.customers.len() + new.len() + changed.len();
    let named: Map<String, Value> = day_2
        .named
        .iter()
        .map(|(kind, id)| {
            let mut versions: Vec<Value> = vec![];
            for golden in [first.customers.get(id), second.customers.get(id)].into_iter().flatten().map(tracked) {
                if versions.last() != Some(&golden) {
                    versions.push(golden);
                }
            }
            let is_current = second.customers.contains_key(id);
            ((*kind).to_owned(), json!({"customer_id": id, "versions": versions, "has_current": is_current}))
        })
        .collect();
    json!({
        "day_1": day(day_1, &first, first.customers.len(), &first.customers.keys().collect()),
        "day_2": day(day_2, &second, versions, &ever),
        "changes": {
            "new": new.len(), "changed": changed.len(), "closed": closed.len(),
            "changed_customers": changed, "closed_customers": closed,
        },
        "named": named,
    })
}

/// What the dimension keeps of a customer; a difference in it makes a new version.
fn tracked(golden: &Golden) -> Value {
    let address = golden.address.as_ref();
    json!({
        "full_name": golden.full_name,
        "email": golden.email,
        "phone": golden.phone,
        "street": address.map(|address| &address.0),
        "city": address.map(|address| &address.1),
        "country_code": address.map(|address| &address.2),
        "source_systems": golden.source_systems,
        "customer_segment": golden.segment,
    })
}

fn day(world: &World, truth: &Truth, versions: usize, known: &BTreeSet<&String>) -> Value {
    let records = visible(world);
    let of = |system| records.values().filter(|record| record.system == system).count();
    let mut segments: BTreeMap<&str, usize> = BTreeMap::new();
    let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
    for golden in truth.customers.values() {
        *segments.entry(golden.segment).or_default() += 1;
        *statuses.entry(golden.status).or_default() += 1;
    }
    let newest = |system| records.values().filter(|record| record.system == system).map(|record| record.modified).max();
    let without_customer = world
        .orders
        .iter()
        .filter(|order| {
            truth.customer_of.get(&(System::Erp, order.customer_id.clone())).is_none_or(|id| !known.contains(id))
        })
        .count();
    json!({
        "rows": {
            "raw_crm_customers": of(System::Crm),
            "raw_erp_customers": of(System::Erp),
            "raw_erp_orders": world.orders.len(),
            "stg_crm_customers": of(System::Crm),
            "stg_erp_customers": of(System::Erp),
            "stg_erp_orders": world.orders.len(),
            "int_customers_unioned": records.len(),
            "int_customers_matched": records.len(),
            "int_customers_deduplicated": truth.customers.len(),
            "int_customers_final": truth.customers.len(),
            "dim_customer": versions,
            "fct_orders": world.orders.len(),
            "mart_customer_segments": truth.customers.len(),
        },
        "current_customers": truth.customers.len(),
        "orders_without_customer": without_customer,
        "orders_without_amount": world.orders.iter().filter(|order| order.amount.is_none()).count(),
        "segments": segments,
        "statuses": statuses,
        "watermarks": {
            "raw_crm_customers": newest(System::Crm).map(crate::recording::crm_stamp),
            "raw_erp_customers": newest(System::Erp).map(crate::recording::erp_stamp),
            "raw_erp_orders": world.orders.iter().map(|order| order.modified).max().map(crate::recording::erp_stamp),
        },
    })
}
