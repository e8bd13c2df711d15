//! `modules.pytz`: zones of the tz database.

use super::super::native::native;
use super::super::value::{invalid, list};
use super::members;
use super::moment::{Zone, ZoneValue};
use crate::diagnostic::nearest;
use minijinja::value::Value;

/// The module.
pub(super) fn module() -> Value {
    let utc = Value::from_object(ZoneValue(Zone::PytzUtc));
    let timezone = native("timezone", |_, mut arguments| {
        let name = arguments.text("zone")?;
        arguments.finish()?;
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Value::from_object(ZoneValue(Zone::PytzUtc)));
        }
        let known = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(&name));
        let found = known.copied().ok_or_else(|| {
            let near = nearest(&name, names()).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            invalid(format!("there is no time zone '{name}'{near}"))
        })?;
        Ok(Value::from_object(ZoneValue(Zone::Named(found))))
    });
    let fixed = native("FixedOffset", |_, mut arguments| {
        let minutes = arguments.integer("minutes")?;
        arguments.finish()?;
        let seconds = minutes.checked_mul(60).and_then(|seconds| i32::try_from(seconds).ok());
        let zone = seconds.and_then(chrono::FixedOffset::east_opt);
        let zone = zone.ok_or_else(|| invalid("the offset must be less than a day"))?;
        Ok(Value::from_object(ZoneValue(Zone::Fixed(zone))))
    });
    let all = list(names().map(Value::from));
    members(
        "pytz",
        None,
        vec![
            ("utc", utc.clone()),
            ("UTC", utc),
            ("timezone", timezone),
            ("FixedOffset", fixed),
            ("all_timezones", all.clone()),
            ("common_timezones", all),
        ],
    )
}

fn names() -> impl Iterator<Item = &'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
}
