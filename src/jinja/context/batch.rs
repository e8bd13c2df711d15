//! What a batch of a model changes in its render.

use crate::jinja::modules::utc_datetime_value;
use crate::jinja::value::{dict, list};
use crate::manifest::{BatchStep, ConfigMap};
use minijinja::value::Value;
use serde_json::json;

/// `model.batch`.
pub(super) fn batch_value(step: &BatchStep) -> Value {
    dict([
        (Value::from("id"), Value::from(step.id())),
        (Value::from("event_time_start"), utc_datetime_value(step.batch.start())),
        (Value::from("event_time_end"), utc_datetime_value(step.batch.end())),
    ])
}

/// Names that mean something else than for the whole model: its hooks run once, not with each batch.
pub(super) fn batch_hooks(step: &BatchStep) -> impl Iterator<Item = (&'static str, Value)> + use<> {
    let hooks = [("pre_hooks", step.is_first), ("post_hooks", step.is_last)];
    hooks.into_iter().filter(|(_, runs)| !runs).map(|(name, _)| (name, list([])))
}

/// What macros of a materialization answer while it builds a batch that is added to what is there.
pub fn batch_overrides(step: &BatchStep) -> ConfigMap {
    let answers = [("is_incremental", true), ("should_full_refresh", false)];
    let answers = answers.into_iter().filter(|_| step.is_added);
    answers.map(|(name, answer)| (name.to_owned(), json!(answer))).collect()
}
