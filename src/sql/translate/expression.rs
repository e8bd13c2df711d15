//! Expressions: operators, special forms, function calls.

use super::build::{call, in_parentheses, literal_text, macro_call, name, number, template};
use super::functions::{self, Rule, Takes};
use super::variant::{is_text, text};
use super::{Refusal, Translator, cast, data_type, date_part, path, positional, rewrite};
use crate::diagnostic::nearest;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, Ident, Interval, ObjectName, ObjectNamePart, Spanned, UnaryOperator,
    Value,
};

/// What stands in for an expression while it is taken apart.
fn taken(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(Value::Null))
}

impl Translator<'_> {
    /// Changes one expression whose parts are translated already.
    pub(super) fn expression(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Function(_) => self.function(expr),
            Expr::Cast { .. } => self.cast(expr),
            Expr::TypedString(typed) => self.typed_string(typed),
            Expr::BinaryOp { .. } => self.binary(expr),
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: operand } => {
                **operand = self.number_of_variant(taken(operand));
            }
            Expr::Like { .. } | Expr::ILike { .. } | Expr::RLike { .. } => self.pattern(expr),
            Expr::InList { expr: operand, list, .. } => {
                let others: Vec<&Expr> = list.iter().collect();
                self.compared(operand, &others);
            }
            Expr::Between { expr: operand, low, high, .. } => self.compared(operand, &[low, high]),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.compared(left, &[right]);
                self.compared(right, &[left]);
            }
            Expr::Case { operand: Some(operand), conditions, .. } => {
                let others: Vec<&Expr> = conditions.iter().map(|branch: &CaseWhen| &branch.condition).collect();
                self.compared(operand, &others);
            }
            _ => self.special_form(expr),
        }
    }

    /// Forms that are no ordinary calls.
    fn special_form(&mut self, expr: &mut Expr) {
        match expr {
            Expr::JsonAccess { value, path } => {
                let path = std::mem::replace(path, sqlparser::ast::JsonPath { path: vec![] });
                *expr = path::json_access(taken(value), path);
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                let place = root.span();
                match path::field_access(taken(root), std::mem::take(access_chain)) {
                    Some(access) => *expr = access,
                    None => self.refuse(place, "a slice", &Refusal::new("Snowflake has none", "use `array_slice`")),
                }
            }
            Expr::Substring { expr: operand, substring_from, substring_for, .. } => {
                **operand = self.text_of_variant(taken(operand));
                let from = substring_from.as_deref().and_then(super::build::literal_number);
                let length = substring_for.as_deref().map(super::build::literal_number);
                let plain = from.is_some_and(|from| from != 0) && length.is_none_or(|length| length >= Some(0));
                if !plain {
                    let mut arguments = vec![taken(operand)];
                    arguments.extend(substring_from.as_deref_mut().map(taken));
                    arguments.extend(substring_for.as_deref_mut().map(taken));
                    *expr = macro_call("substr", arguments);
                }
            }
            Expr::Trim { expr: operand, .. } => **operand = self.text_of_variant(taken(operand)),
            Expr::Position { expr: part, r#in } => {
                *expr =
                    macro_call("charindex", vec![self.text_of_variant(taken(part)), self.text_of_variant(taken(r#in))]);
            }
            Expr::Ceil { expr: operand, field } => *expr = self.rounded("ceil", operand, field),
            Expr::Floor { expr: operand, field } => *expr = self.rounded("floor", operand, field),
            Expr::Extract { field, expr: operand, .. } => self.extract(&field.to_string(), taken(operand), expr),
            Expr::Array(array) if !array.named => *expr = call("json_array", std::mem::take(&mut array.elem)),
            Expr::Dictionary(fields) => {
                let pairs = std::mem::take(fields).into_iter().flat_map(|field| {
                    let key = field.key.value.trim_matches('\'').to_owned();
                    [super::build::literal_expr(&key), *field.value]
                });
                *expr = rewrite::variant::object(pairs.collect(), "object_construct_keep_null");
            }
            Expr::Value(value) if positional(&value.value).is_some() => self.positional_column(expr),
            Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
                let help = "use `var()` of the project instead";
                self.refuse(value.span, "a session variable", &Refusal::new("there is none", help));
            }
            Expr::Interval(interval) => self.interval(interval),
            _ => self.refused_form(expr),
        }
    }

    /// Forms that DuckDB has not.
    fn refused_form(&mut self, expr: &Expr) {
        let (what, help) = match expr {
            Expr::OuterJoin(_) => ("the join operator (+)", "write `left join … on …`"),
            Expr::Prior(_) => ("`connect by`", "write a recursive CTE"),
            Expr::Collate { .. } => ("`collate`", "compare `lower(…)` of both sides instead"),
            Expr::AtTimeZone { .. } => ("`at time zone`", "on DuckDB every timestamp is UTC"),
            Expr::Lambda(_) => ("a lambda", "flatten the array and aggregate it again"),
            Expr::SimilarTo { .. } => ("`similar to`", "use `regexp_like`"),
            _ => return,
        };
        self.refuse(expr.span(), what, &Refusal::new("it is not translated", help));
    }

    fn rounded(&self, function: &str, operand: &mut Expr, field: &CeilFloorKind) -> Expr {
        let operand = self.number_of_variant(taken(operand));
        match field {
            CeilFloorKind::Scale(scale) => {
                macro_call(&format!("{function}_to"), vec![operand, Expr::Value(scale.clone())])
            }
            CeilFloorKind::DateTimeField(_) => call(function, vec![operand]),
        }
    }

    fn extract(&mut self, field: &str, operand: Expr, expr: &mut Expr) {
        let part = field.trim_matches('\'');
        if let Some(part) = date_part::date_or_time_part(part).or_else(|| date_part::extracted_part(part)) {
            *expr = macro_call(part, vec![operand]);
        } else {
            self.refuse(operand.span(), "`extract`", &rewrite::date::unknown_part(part));
        }
    }

    fn positional_column(&mut self, expr: &mut Expr) {
        let Expr::Value(value) = &*expr else { return };
        let columns = self.scopes.last().and_then(|scope| scope.positional.as_ref());
        let wanted = positional(&value.value).and_then(|number| columns?.get(number.checked_sub(1)?));
        if let Some(column) = wanted {
            *expr = Expr::Identifier(column.clone());
        } else {
            let help = "name the column; by number it can only be had from `values`";
            self.refuse(value.span, "a column by its number", &Refusal::new("its name is not known here", help));
        }
    }

    fn binary(&mut self, expr: &mut Expr) {
        let Expr::BinaryOp { left, op, right } = expr else { return };
        match op {
            BinaryOperator::Divide | BinaryOperator::Modulo => {
                let function = if *op == BinaryOperator::Divide { "divide" } else { "modulo" };
                let operands = vec![self.number_of_variant(taken(left)), self.number_of_variant(taken(right))];
                *expr = macro_call(function, operands);
            }
            BinaryOperator::StringConcat => {
                **left = in_parentheses(text(taken(left)));
                **right = in_parentheses(text(taken(right)));
            }
            BinaryOperator::Plus | BinaryOperator::Minus if matches!(**right, Expr::Interval(_)) => {
                let sign = if *op == BinaryOperator::Minus { -1 } else { 1 };
                add_interval(sign, expr);
            }
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply => {
                **left = self.number_of_variant(taken(left));
                **right = self.number_of_variant(taken(right));
            }
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
            | BinaryOperator::Spaceship => {
                let equality = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
                if equality && self.is_variant(left) && self.is_variant(right) {
                    return;
                }
                self.compared(left, &[right]);
                self.compared(right, &[left]);
            }
            _ => {}
        }
    }

    /// A VARIANT that is compared with `others` becomes what they are: text or number.
    fn compared(&mut self, operand: &mut Expr, others: &[&Expr]) {
        if !self.is_variant(operand) {
            return;
        }
        let all = |test: &dyn Fn(&Expr) -> bool| others.iter().all(|other| test(other));
        if all(&is_text) {
            *operand = text(taken(operand));
        } else if all(&is_number) {
            *operand = self.number_of_variant(taken(operand));
        } else if all(&|other| matches!(other, Expr::Value(value) if matches!(value.value, Value::Boolean(_)))) {
            *operand = macro_call("to_boolean", vec![taken(operand)]);
        } else if !all(&|other| matches!(other, Expr::Value(value) if value.value == Value::Null)) {
            let help = "say as what it is compared: add `::string`, `::number` or another cast";
            let refusal = Refusal::new("its type is only known when the query runs", help);
            self.refuse(operand.span(), "comparing a VARIANT", &refusal);
        }
    }

    fn pattern(&mut self, expr: &mut Expr) {
        match expr {
            Expr::RLike { negated, expr: operand, pattern, .. } => {
                let matches = call("regexp_full_match", vec![self.text_of_variant(taken(operand)), taken(pattern)]);
                *expr = if *negated { template("not $1", &[matches]) } else { matches };
            }
            Expr::Like { negated, any, expr: operand, pattern, escape_char }
            | Expr::ILike { negated, any, expr: operand, pattern, escape_char } => {
                **operand = self.text_of_variant(taken(operand));
                if !*any {
                    return;
                }
                let (negated, escape_char) = (*negated, escape_char.take());
                let (operand, pattern) = (taken(operand), taken(pattern));
                let ignores_case = matches!(expr, Expr::ILike { .. });
                let patterns = match pattern {
                    Expr::Tuple(patterns) => patterns,
                    Expr::Nested(pattern) => vec![*pattern],
                    other => vec![other],
                };
                let each = patterns
                    .into_iter()
                    .map(|pattern| like(operand.clone(), pattern, escape_char.clone(), ignores_case));
                *expr = chain(each, BinaryOperator::Or);
                if negated {
                    *expr = template("not $1", &[taken(expr)]);
                }
            }
            _ => {}
        }
    }

    /// `operand like all (a, b)`, which the parser reads as a function `all`, as `like a and like b`.
    pub(super) fn like_all(&mut self, expr: &mut Expr) {
        let (Expr::Like { expr: operand, pattern, negated, escape_char, .. }
        | Expr::ILike { expr: operand, pattern, negated, escape_char, .. }) = expr
        else {
            return;
        };
        let Expr::Function(function) = pattern.as_mut() else { return };
        if !function.name.to_string().eq_ignore_ascii_case("all") {
            return;
        }
        let Ok(patterns) = positional_arguments(function.clone()) else { return };
        if *negated {
            let refusal = Refusal::new("it can be read in two ways", "write `not (x like all (…))`");
            self.refuse(function.name.span(), "`not like all`", &refusal);
        }
        let (operand, escape_char) = (taken(operand), escape_char.take());
        let ignores_case = matches!(expr, Expr::ILike { .. });
        let each =
            patterns.into_iter().map(|pattern| like(operand.clone(), pattern, escape_char.clone(), ignores_case));
        *expr = chain(each, BinaryOperator::And);
    }

    /// `interval '1 y, 2 d'` in DuckDB's words.
    fn interval(&mut self, interval: &mut Interval) {
        match interval_parts(interval) {
            Ok(parts) => {
                let words: Vec<String> = parts.iter().map(|(count, part)| format!("{count} {part}")).collect();
                *interval.value = super::build::literal_expr(&words.join(" "));
                interval.leading_field = None;
            }
            Err(refusal) => self.refuse(interval.value.span(), "an interval", &refusal),
        }
    }

    /// A function call by its rule.
    fn function(&mut self, expr: &mut Expr) {
        let Expr::Function(function) = expr else { return };
        let Some(called) = simple_name(&function.name) else {
            return; // A function of the project, called with its schema.
        };
        let place = called.span;
        let upper = called.value.to_ascii_uppercase();
        let title = format!("`{}`", called.value.to_lowercase());
        let Some((rule, takes)) = functions::find(&upper) else {
            let refusal = match nearest(&upper, functions::names()) {
                Some(known) => {
                    Refusal::new("no such function is known", format!("did you mean `{}`?", known.to_lowercase()))
                }
                None => Refusal::new(
                    "no such function is known",
                    "call a function of your own with its schema; then it is left as it is",
                ),
            };
            self.refuse(place, &title, &refusal);
            return;
        };
        let mut function = function.clone();
        if let Err(refusal) = self.take_arguments(&mut function, takes) {
            self.refuse(place, &title, &refusal);
            return;
        }
        match self.apply(rule, function) {
            Ok(translated) => *expr = translated,
            Err(refusal) => self.refuse(place, &title, &refusal),
        }
    }

    fn apply(&mut self, rule: Rule, mut function: Function) -> Result<Expr, Refusal> {
        match rule {
            Rule::Same => {
                move_null_treatment(&mut function);
                Ok(Expr::Function(function))
            }
            Rule::Named(name) => {
                function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]);
                move_null_treatment(&mut function);
                Ok(Expr::Function(function))
            }
            Rule::Macro(name, least, most) => {
                let arguments = positional_arguments(function)?;
                if arguments.len() < least || arguments.len() > most {
                    let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
                    let message = format!("it takes {wanted} arguments, not {}", arguments.len());
                    return Err(Refusal::new(message, ""));
                }
                // A precision of fractional seconds says nothing here: `current_timestamp(3)`.
                let precise = matches!(name, "current_timestamp" | "current_time");
                Ok(macro_call(name, if precise { vec![] } else { arguments }))
            }
            Rule::Rewrite(rewrite) => {
                let arguments = positional_arguments(function)?;
                rewrite(self, arguments).map(in_parentheses)
            }
            Rule::Aggregate(rewrite) => rewrite(self, function).map(in_parentheses),
            Rule::Refused(help) => Err(Refusal::new("it has no counterpart", help)),
        }
    }

    /// Makes of VARIANT arguments what the function takes.
    fn take_arguments(&mut self, function: &mut Function, takes: Takes) -> Result<(), Refusal> {
        let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
        for argument in &mut list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else { continue };
            match takes {
                Takes::Text => *expr = self.text_of_variant(taken(expr)),
                Takes::Number => *expr = self.number_of_variant(taken(expr)),
                Takes::Compared if self.is_variant(expr) => {
                    let help = "say as what it is compared: add `::string`, `::number` or another cast";
                    return Err(Refusal::new("it would compare the JSON text of a VARIANT", help));
                }
                Takes::Any | Takes::Compared => {}
            }
        }
        Ok(())
    }
}

/// `date + interval '1 day'` keeps the date's type on Snowflake, so it is a `dateadd` of each part. An interval that
/// is not understood was refused already.
fn add_interval(sign: i64, expr: &mut Expr) {
    let Expr::BinaryOp { left, right, .. } = expr else { return };
    let Expr::Interval(interval) = right.as_ref() else { return };
    if let Ok(parts) = interval_parts(interval) {
        let start = rewrite::date::moment(taken(left));
        *expr = parts.into_iter().fold(start, |moment, (count, part)| {
            macro_call(&format!("dateadd_{part}"), vec![number(sign * count), moment])
        });
    }
}

/// `operand like pattern`.
fn like(operand: Expr, pattern: Expr, escape_char: Option<Box<Expr>>, ignores_case: bool) -> Expr {
    let (expr, pattern) = (Box::new(operand), Box::new(pattern));
    if ignores_case {
        Expr::ILike { negated: false, any: false, expr, pattern, escape_char }
    } else {
        Expr::Like { negated: false, any: false, expr, pattern, escape_char }
    }
}

/// Conditions joined by `and` or `or`, in parentheses.
fn chain(conditions: impl Iterator<Item = Expr>, operator: BinaryOperator) -> Expr {
    let all = conditions.reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: operator.clone(),
        right: Box::new(right),
    });
    in_parentheses(all.unwrap_or_else(|| name("null")))
}

fn is_number(expr: &Expr) -> bool {
    use super::data_type::Kind;
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => is_number(expr),
        Expr::Nested(inner) => is_number(inner),
        Expr::Cast { data_type, .. } => {
            matches!(data_type::kind(data_type), Some(Kind::Integer | Kind::Number(..) | Kind::Double))
        }
        Expr::Function(function) => matches!(
            function.name.to_string().as_str(),
            "snowflake.to_integer" | "snowflake.to_double" | "snowflake.divide" | "snowflake.modulo"
        ),
        _ => false,
    }
}

/// Count and part of each piece: `'1 year, 3 days'`, `'1' day`.
fn interval_parts(interval: &Interval) -> Result<Vec<(i64, &'static str)>, Refusal> {
    let help = "write it as `interval '1 day, 2 hours'` with whole numbers";
    let wrong = |what: &str| Refusal::new(format!("`{what}` is not understood"), help);
    let text =
        literal_text(&interval.value).or_else(|| super::build::literal_number(&interval.value).map(|n| n.to_string()));
    let text = text.ok_or_else(|| wrong(&interval.value.to_string()))?;
    let with_unit = match &interval.leading_field {
        Some(field) => format!("{text} {}", DateTimeField::to_string(field)),
        None => text,
    };
    let mut parts = Vec::new();
    let mut rest = with_unit.trim_start_matches([',', ' ']);
    while !rest.is_empty() {
        let sign = usize::from(rest.starts_with(['-', '+']));
        let digits = rest[sign..].find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len() - sign);
        let (count, after) = rest.split_at(sign + digits);
        let after = after.trim_start();
        let letters = after.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let count = count.parse::<i64>().map_err(|_| wrong(&with_unit))?;
        // A number without a unit counts seconds.
        let unit = if unit.is_empty() { "second" } else { unit };
        parts.push((count, date_part::date_or_time_part(unit).ok_or_else(|| wrong(unit))?));
        rest = after.trim_start_matches([',', ' ']);
    }
    Ok(parts)
}

/// DuckDB has `ignore nulls` inside the parentheses.
pub(super) fn move_null_treatment(function: &mut Function) {
    if let (Some(treatment), FunctionArguments::List(list)) = (function.null_treatment.take(), &mut function.args) {
        list.clauses.push(FunctionArgumentClause::IgnoreOrRespectNulls(treatment));
    }
}

fn simple_name(name: &ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Some(name),
        _ => None,
    }
}

/// The arguments of a scalar call; an error for `distinct`, `over`, named arguments and the like.
fn positional_arguments(function: Function) -> Result<Vec<Expr>, Refusal> {
    let is_scalar = function.over.is_none()
        && function.filter.is_none()
        && function.within_group.is_empty()
        && matches!(function.parameters, FunctionArguments::None);
    if !is_scalar {
        return Err(Refusal::new("it cannot be used with `over`, `filter` or `within group`", ""));
    }
    match function.args {
        FunctionArguments::None => Ok(vec![]),
        FunctionArguments::Subquery(query) => Ok(vec![Expr::Subquery(query)]),
        FunctionArguments::List(list) => {
            if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                return Err(Refusal::new("it takes plain arguments only", ""));
            }
            let arguments = list.args.into_iter().map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
                other => Err(Refusal::new(format!("the argument `{other}` is not translated"), "name each value")),
            });
            arguments.collect()
        }
    }
}

/// The cast that several rewrites end with.
pub(super) fn plain_cast(operand: Expr, kind: &data_type::Kind) -> Expr {
    cast::cast(operand, kind, sqlparser::ast::CastKind::Cast)
}
