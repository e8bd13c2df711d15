//! Python's sets, which `set()` gives: members once each, in the order in which they came.

use crate::jinja::Arguments;
use crate::jinja::value::{hashable, invalid, none, repr};
use indexmap::IndexSet;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A mutable set. The lock is never held while other code is called.
struct Set(Mutex<IndexSet<Value>>);

/// A new set of these members.
pub(super) fn set_value(members: impl IntoIterator<Item = Value>) -> Value {
    Value::from_object(Set(Mutex::new(members.into_iter().collect())))
}

impl Set {
    fn members(&self) -> IndexSet<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut IndexSet<Value>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The set that a method such as `union` gives.
    fn combined(&self, method: &str, others: &[IndexSet<Value>]) -> Option<IndexSet<Value>> {
        let mut members = self.members();
        for other in others {
            match method {
                "union" | "update" => members.extend(other.iter().cloned()),
                "intersection" | "intersection_update" => members.retain(|member| other.contains(member)),
                "difference" | "difference_update" => members.retain(|member| !other.contains(member)),
                "symmetric_difference" => {
                    let both: IndexSet<Value> = members.intersection(other).cloned().collect();
                    members.extend(other.iter().cloned());
                    members.retain(|member| !both.contains(member));
                }
                _ => return None,
            }
        }
        matches!(
            method,
            "union"
                | "update"
                | "intersection"
                | "intersection_update"
                | "difference"
                | "difference_update"
                | "symmetric_difference"
        )
        .then_some(members)
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members: Vec<String> = self.members().iter().map(repr).collect();
        if members.is_empty() { formatter.write_str("set()") } else { write!(formatter, "{{{}}}", members.join(", ")) }
    }
}

impl Object for Set {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.members().into_iter().collect())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let sorted = |set: &Self| {
            let mut members: Vec<Value> = set.members().into_iter().collect();
            members.sort();
            members
        };
        Some(sorted(self).cmp(&sorted(other.downcast_ref::<Self>()?)))
    }

    fn call_method(self: &Arc<Self>, _: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        let others = || -> Result<Vec<IndexSet<Value>>, Error> {
            let checked = |member: Value| hashable(&member).map(|()| member);
            values.iter().map(|value| value.try_iter()?.map(checked).collect()).collect()
        };
        match method {
            "union" | "intersection" | "difference" | "symmetric_difference" => {
                let members = self.combined(method, &others()?).unwrap_or_default();
                return Ok(set_value(members));
            }
            "update" | "intersection_update" | "difference_update" => {
                let members = self.combined(method, &others()?).unwrap_or_default();
                self.change(|set| *set = members);
                return Ok(none());
            }
            "issubset" | "issuperset" | "isdisjoint" => {
                let (own, other) = (self.members(), others()?.into_iter().next().unwrap_or_default());
                let answer = match method {
                    "issubset" => own.is_subset(&other),
                    "issuperset" => own.is_superset(&other),
                    _ => own.is_disjoint(&other),
                };
                return Ok(Value::from(answer));
            }
            _ => {}
        }
        let mut arguments = Arguments::new(method, values);
        let answer = match method {
            "add" => {
                // Hashing a set locks it: one that held itself would wait for itself.
                let member = arguments.required("element")?;
                hashable(&member)?;
                self.change(|set| set.insert(member));
                none()
            }
            "discard" | "remove" => {
                let member = arguments.required("element")?;
                hashable(&member)?;
                if !self.change(|set| set.shift_remove(&member)) && method == "remove" {
                    return Err(invalid(format!("KeyError: {}", repr(&member))));
                }
                none()
            }
            "pop" => self.change(|set| set.shift_remove_index(0)).ok_or_else(|| invalid("pop from an empty set"))?,
            "clear" => {
                self.change(IndexSet::clear);
                none()
            }
            "copy" => set_value(self.members()),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        arguments.finish()?;
        Ok(answer)
    }
}

/// Whether a value is a set.
pub(in crate::jinja) fn is_set(value: &Value) -> bool {
    value.downcast_object_ref::<Set>().is_some()
}

/// How two sets stand to each other: a part of the other is less; none where neither is, or where they are no sets.
pub(in crate::jinja) fn compare_sets(left: &Value, right: &Value) -> Option<Ordering> {
    let left = left.downcast_object_ref::<Set>()?.members();
    let right = right.downcast_object_ref::<Set>()?.members();
    match (left.is_subset(&right), right.is_subset(&left)) {
        (true, true) => Some(Ordering::Equal),
        (true, false) => Some(Ordering::Less),
        (false, true) => Some(Ordering::Greater),
        (false, false) => None,
    }
}

/// `left - right` of two sets.
pub(in crate::jinja) fn subtract_sets(left: &Value, right: &Value) -> Option<Value> {
    let (left, right) = (left.downcast_object_ref::<Set>()?, right.downcast_object_ref::<Set>()?.members());
    Some(set_value(left.members().into_iter().filter(|member| !right.contains(member))))
}
