//! Python's `range`: numbers that are not stored.

use super::value::invalid;
use minijinja::Error;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// As many numbers as a range may have, as in Jinja2's sandbox.
const LONGEST: u64 = 100_000;

/// The numbers from `start` to before `stop`.
#[derive(Clone, Copy)]
pub(super) struct Range {
    start: i64,
    stop: i64,
    step: i64,
    /// How many there are; at most [`LONGEST`].
    count: usize,
}

impl Range {
    /// A range as templates see it.
    pub fn value(start: i64, stop: i64, step: i64) -> Result<Value, Error> {
        if step == 0 {
            return Err(invalid("range() arg 3 must not be zero"));
        }
        let distance =
            if step > 0 { i128::from(stop) - i128::from(start) } else { i128::from(start) - i128::from(stop) };
        let count = u128::try_from(distance).unwrap_or(0).div_ceil(u128::from(step.unsigned_abs()));
        match usize::try_from(count) {
            Ok(small) if count <= u128::from(LONGEST) => {
                Ok(Value::from_object(Self { start, stop, step, count: small }))
            }
            _ => Err(invalid(format!("range() would have {count} items; at most {LONGEST} are allowed"))),
        }
    }

    fn at(self, index: usize) -> Option<i64> {
        let index = i64::try_from(index).ok().filter(|_| index < self.count)?;
        Some(self.start + self.step * index)
    }

    /// The range of every `step`th number between two positions, as a slice gives it.
    pub fn slice(self, first: usize, count: usize, step: i64) -> Option<Value> {
        let start = self.at(first)?;
        let step = self.step.checked_mul(step)?;
        let stop = start.checked_add(step.checked_mul(i64::try_from(count).ok()?)?)?;
        let stop = if step > 0 { stop.min(self.stop.max(start)) } else { stop.max(self.stop.min(start)) };
        Self::value(start, stop, step).ok()
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            1 => write!(formatter, "range({}, {})", self.start, self.stop),
            step => write!(formatter, "range({}, {}, {step})", self.start, self.stop),
        }
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.at(key.as_usize()?).map(Value::from)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "start" => Some(Value::from(self.start)),
            "stop" => Some(Value::from(self.stop)),
            "step" => Some(Value::from(self.step)),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.count)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let numbers = |range: &Self| (0..range.count).filter_map(|index| range.at(index)).collect::<Vec<_>>();
        Some(numbers(self).cmp(&numbers(other.downcast_ref::<Self>()?)))
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}
