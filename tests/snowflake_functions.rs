//! Snowflake's functions on DuckDB: an expression in Snowflake's dialect and the value that Snowflake's
//! documentation gives for it, translated and run on a real DuckDB.

use std::fmt::Write;
use strata::adapter::{Adapter, Cell, Connection, DuckDb, DuckDbSettings};
use strata::diagnostic::SourceFile;
use strata::project::builtin;
use strata::sql::{Dialect, translate};

fn duckdb() -> DuckDb {
    let adapter = DuckDb::open(DuckDbSettings::default()).expect("a database in memory");
    adapter.install_functions(builtin::snowflake_functions()).expect("every macro can be created");
    adapter
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Boolean(value) => value.to_string(),
        Cell::Integer(value) => value.to_string(),
        Cell::Decimal(value) | Cell::Text(value) => value.clone(),
        Cell::Float(value) => value.to_string(),
        Cell::Date(value) => value.to_string(),
        Cell::Time(value) => value.to_string(),
        Cell::Timestamp(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

/// The rows of a query in Snowflake's dialect, or why there are none.
fn run(connection: &mut dyn Connection, query: &str) -> Result<Vec<String>, String> {
    let file = SourceFile::new("query.sql", query);
    let translated = translate(&file, Dialect::Snowflake, Dialect::DuckDb).map_err(|found| {
        let messages: Vec<String> = found.iter().map(|finding| finding.message().to_owned()).collect();
        format!("refused: {}", messages.join("; "))
    })?;
    let answer = connection.execute(&translated).map_err(|error| format!("{}\n    {translated}", error.message))?;
    let row = |cells: &Vec<Cell>| cells.iter().map(shown).collect::<Vec<_>>().join(" | ");
    Ok(answer.table.rows.iter().map(row).collect())
}

/// Runs every expression and lists all that give something else.
fn check(cases: &[(&str, &str)]) {
    let adapter = duckdb();
    let mut connection = adapter.connect("test").expect("a connection");
    let mut wrong = String::new();
    for (expression, wanted) in cases {
        let got = match run(connection.as_mut(), &format!("select {expression}")) {
            Ok(rows) => rows.join("\n"),
            Err(error) => format!("error: {error}"),
        };
        if got != *wanted {
            let _ = writeln!(wrong, "{expression}\n  wanted {wanted}\n  got    {got}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn conditions() {
    check(&[
        ("iff(true, 'a', 'b')", "a"),
        ("iff(null, 'a', 'b')", "b"),
        ("nvl(null, 1)", "1"),
        ("ifnull(null, 'x')", "x"),
        ("nvl2(null, 'a', 'b')", "b"),
        ("nvl2(0, 'a', 'b')", "a"),
        ("zeroifnull(null)", "0"),
        ("nullifzero(0)", "NULL"),
        ("coalesce(null, null, 'c')", "c"),
        ("nullif('a', 'a')", "NULL"),
        ("decode(null, 1, 'one', null, 'none', 'other')", "none"),
        ("decode(3, 1, 'one', 2, 'two')", "NULL"),
        ("decode(2, 1, 'one', 2, 'two', 'many')", "two"),
        ("greatest(1, null, 3)", "NULL"),
        ("greatest(1, 5, 3)", "5"),
        ("least('b', 'a')", "a"),
        ("least(1, null)", "NULL"),
        ("greatest_ignore_nulls(1, null, 3)", "3"),
        ("equal_null(null, null)", "true"),
        ("equal_null(null, 1)", "false"),
        ("equal_null(1, 1)", "true"),
        ("booland(1, 0)", "false"),
        ("boolor(1, 0)", "true"),
        ("boolxor(2, 0)", "true"),
        ("boolnot(0)", "true"),
        ("null is distinct from 1", "true"),
        ("to_boolean('yes')", "true"),
        ("to_boolean('off')", "false"),
        ("to_boolean(0)", "false"),
        ("to_boolean(7)", "true"),
        ("'T'::boolean", "true"),
        ("try_to_boolean('maybe')", "NULL"),
    ]);
}

#[test]
fn numbers() {
    check(&[
        ("1 / 3", "0.333333"),
        ("2 / 3", "0.666667"),
        ("10 / 4", "2.5"),
        ("1.25 / 3", "0.41666667"),
        ("1::float / 3", "0.3333333333333333"),
        ("null / 0", "NULL"),
        ("div0(5, 0)", "0"),
        ("div0(null, 0)", "NULL"),
        ("div0(1, 4)", "0.25"),
        ("div0null(5, null)", "0"),
        ("mod(5, 3)", "2"),
        ("-5 % 3", "-2"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(135.135, -2)", "100"),
        ("round(2.675, 2)", "2.68"),
        ("trunc(2.789, 2)", "2.78"),
        ("trunc(-2.7)", "-2"),
        ("ceil(135.135)", "136"),
        ("ceil(-975.975, 1)", "-975.9"),
        ("floor(-975.975, -2)", "-1000"),
        ("sign(-3)", "-1"),
        ("square(4)", "16"),
        ("log(2, 8)", "3"),
        ("ln(1)", "0"),
        ("power(2, 3)", "8"),
        ("bitand(12, 10)", "8"),
        ("bitor(12, 10)", "14"),
        ("bitxor(12, 10)", "6"),
        ("bitshiftleft(1, 3)", "8"),
        ("factorial(5)", "120"),
        ("width_bucket(5, 0, 10, 5)", "3"),
        ("width_bucket(10, 0, 10, 5)", "6"),
        ("width_bucket(-1, 0, 10, 5)", "0"),
        ("to_number('12.7')", "13"),
        ("to_number('12.75', 10, 1)", "12.8"),
        ("try_to_number('abc')", "NULL"),
        ("try_to_number('')", "NULL"),
        ("try_to_number(' 42 ')", "42"),
        ("to_decimal('1.25', 10, 2)", "1.25"),
        ("to_double('1e2')", "100"),
        ("try_to_double('x')", "NULL"),
        ("'1.5'::int", "2"),
        ("2.5::float::int", "3"),
        ("(-2.5)::float::int", "-3"),
        ("true::int", "1"),
        ("1.555::number(10, 2)", "1.56"),
        ("12.3::number", "12"),
        ("try_cast('x' as int)", "NULL"),
        ("try_cast('1.5' as int)", "2"),
    ]);
}

#[test]
fn division_by_zero_is_an_error() {
    let adapter = duckdb();
    let mut connection = adapter.connect("test").expect("a connection");
    for expression in ["1 / 0", "1 % 0", "mod(1, 0)", "1.5 / 0"] {
        let error = run(connection.as_mut(), &format!("select {expression}")).expect_err("no value");
        assert!(error.contains("Division by zero"), "{expression}: {error}");
    }
}

#[test]
fn texts() {
    check(&[
        ("concat('a', null)", "NULL"),
        ("concat('a', 1, 'b')", "a1b"),
        ("concat_ws('-', 'a', null, 'b')", "NULL"),
        ("concat_ws('-', 'a', 'b')", "a-b"),
        ("concat_ws(',', 'one')", "one"),
        ("'a' || null", "NULL"),
        ("1.0::float || 'x'", "1x"),
        ("true || ''", "true"),
        ("initcap('the quick-brown FOX o''neil')", "The Quick-Brown Fox O'neil"),
        ("initcap('anne.smith@x_y')", "Anne.Smith@X_Y"),
        ("initcap('iqamqinterestedqinqthisqtopic', 'q')", "IqAmqInterestedqInqThisqTopic"),
        ("initcap('this is THE one', '')", "This is the one"),
        ("initcap('')", ""),
        ("initcap(null)", "NULL"),
        ("split_part('127.0.0.1', '.', 1)", "127"),
        ("split_part('127.0.0.1', '.', 0)", "127"),
        ("split_part('127.0.0.1', '.', -1)", "1"),
        ("split_part('a|b', '|', 5)", ""),
        ("split_part('abc', '', 1)", "abc"),
        ("charindex('an', 'banana')", "2"),
        ("charindex('an', 'banana', 3)", "4"),
        ("charindex('z', 'banana')", "0"),
        ("position('an', 'banana', 5)", "0"),
        ("position('an' in 'banana')", "2"),
        ("contains('ice tea', 'te')", "true"),
        ("startswith('tea', 'te')", "true"),
        ("endswith('tea', 'ea')", "true"),
        ("left('abcd', 2)", "ab"),
        ("left('abcd', -1)", ""),
        ("right('abcd', 2)", "cd"),
        ("right('abcd', -1)", ""),
        ("substr('testing 1 2 3', 9, 5)", "1 2 3"),
        ("substr('abcdef', -2)", "ef"),
        ("substr('abcdef', 0, 2)", "ab"),
        ("substring('abc', 2, -1)", ""),
        ("lpad('hi', 5)", "   hi"),
        ("lpad('123', 6, '0')", "000123"),
        ("rpad('hi', 4, '.')", "hi.."),
        ("lpad('hello', 2, 'x')", "he"),
        ("trim('  a ')", "a"),
        ("trim('❄-❄ABC-❄-', '❄-')", "ABC"),
        ("ltrim('#000000123', '0#')", "123"),
        ("rtrim('$125.00', '0.')", "$125"),
        ("translate('*a*bX*dYZ*', 'XYZ*', 'cef')", "abcdef"),
        ("replace('down', 'down', 'up')", "up"),
        ("replace('snowball', 'ball')", "snow"),
        ("reverse('Hello')", "olleH"),
        ("repeat('xy', 3)", "xyxyxy"),
        ("space(3) || '|'", "   |"),
        ("ascii('!')", "33"),
        ("ascii('')", "0"),
        ("chr(83)", "S"),
        ("length('Joyeux Noël')", "11"),
        ("octet_length('Noël')", "5"),
        ("insert('abc', 1, 2, 'Z')", "Zc"),
        ("insert('abcdef', 3, 0, 'zzz')", "abzzzcdef"),
        ("editdistance('Gute nacht', 'Ich weis nicht')", "8"),
        ("editdistance('abc', 'xyz', 2)", "2"),
        ("jarowinkler_similarity('Snowflake', 'Oracle')", "61"),
        ("jarowinkler_similarity('merge', 'MERGE')", "100"),
        ("strtok('a.b.c', '.', 1)", "a"),
        ("strtok('user@snowflake.com', '@.', 3)", "com"),
        ("strtok('a..b', '.', 3)", "NULL"),
        ("strtok('one two')", "one"),
        ("upper('a') || lower('B')", "Ab"),
        ("md5('Snowflake')", "edf1439075a83a447fb8b630ddc9c8de"),
        ("sha2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("sha1('a')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("base64_encode('Snowflake')", "U25vd2ZsYWtl"),
        ("base64_decode_string('U25vd2ZsYWtl')", "Snowflake"),
    ]);
}

#[test]
fn texts_of_other_values() {
    check(&[
        ("length(uuid_string())", "36"),
        ("'abc'::varchar(3)", "abc"),
        ("try_cast('abcd' as varchar(3))", "NULL"),
        ("12.50::number(5, 2)::string", "12.50"),
        ("1.0::float::string", "1"),
        ("'2024-01-05 10:00:00'::timestamp::string", "2024-01-05 10:00:00.000"),
        (r"'tab\there'", "tab\there"),
        (r"'a\\.b'", r"a\.b"),
        (r"'\.'", "."),
        (r"$$a\nb'c$$", r"a\nb'c"),
        ("'ABC' ilike any ('x%', 'a%')", "true"),
        ("'abc' like all ('a%', '%c')", "true"),
        ("'abc' not like any ('x%', '%c')", "false"),
    ]);
}

#[test]
fn regular_expressions() {
    check(&[
        (r"regexp_like('San Francisco', 'San')", "false"),
        (r"regexp_like('San Francisco', 'San.*')", "true"),
        (r"regexp_like('SAN FRANCISCO', 'san.*', 'i')", "true"),
        (r"'a.b' rlike 'a\\.b'", "true"),
        (r"'axb' rlike 'a\\.b'", "false"),
        (r"rlike('800-456-7891', '[2-9]\\d{2}-\\d{3}-\\d{4}')", "true"),
        (r"regexp_like('ann@example.com', '^[^@]+@[^@]+\\.[^@]+$')", "true"),
        (r"regexp_replace('+49 (30) 12-34', '[^0-9]', '')", "49301234"),
        (r"regexp_replace('no digits', '[^0-9]')", ""),
        (
            r"regexp_replace('firstname middlename lastname', '(.*) (.*) (.*)', '\\3, \\1 \\2')",
            "lastname, firstname middlename",
        ),
        (r"regexp_replace('aXbX', 'x', '-', 1, 0, 'i')", "a-b-"),
        (r"regexp_replace('aaa', 'a', 'b', 2)", "abb"),
        (r"regexp_substr('It was the best', '\\bt\\w+')", "the"),
        (r"regexp_substr('abc', 'x')", "NULL"),
        (r"regexp_substr('a1b22c333', '\\d+', 1, 2)", "22"),
        (r"regexp_substr('key=value', '(\\w+)=(\\w+)', 1, 1, 'e', 2)", "value"),
        (r"regexp_substr('key=value', '(\\w+)=(\\w+)', 1, 1, 'e')", "key"),
        (r"regexp_count('It was the best of times', '\\bt', 1)", "2"),
        (r"regexp_instr('It was the best', 'was')", "4"),
        (r"regexp_instr('abc', 'x')", "0"),
        (r"regexp_like(null, 'a')", "NULL"),
    ]);
}

#[test]
fn dates() {
    check(&[
        ("dateadd(day, 1, '2024-02-28'::date)", "2024-02-29"),
        ("dateadd('month', 1, '2024-01-31'::date)", "2024-02-29"),
        ("dateadd(hour, 2, '2013-04-05'::date)", "2013-04-05 02:00:00"),
        ("dateadd(year, 2, '2013-05-08'::date)", "2015-05-08"),
        ("dateadd(minute, -30, '2024-01-01 00:00:00'::timestamp)", "2023-12-31 23:30:00"),
        ("dateadd(q, 1, '2024-01-31')", "2024-04-30 00:00:00"),
        ("timestampadd(week, 1, '2024-01-01'::date)", "2024-01-08"),
        ("'2024-01-31'::date + interval '1 month'", "2024-02-29"),
        ("'2024-01-31'::date - interval '1 day, 2 hours'", "2024-01-29 22:00:00"),
        ("'2024-01-10'::date + 5", "2024-01-15"),
        ("'2024-01-10'::date - '2024-01-01'::date", "9"),
        ("datediff(year, '2010-04-09 14:39:20'::timestamp, '2013-05-08 23:39:20'::timestamp)", "3"),
        ("datediff(month, '2024-01-31'::date, '2024-02-01'::date)", "1"),
        ("datediff(week, '2024-01-06'::date, '2024-01-08'::date)", "1"),
        ("datediff(week, '2024-01-08'::date, '2024-01-14'::date)", "0"),
        ("datediff(hour, '2013-05-08T23:39:20'::timestamp, '2013-05-09T00:01:00'::timestamp)", "1"),
        ("datediff('day', '2024-01-02', '2024-01-01')", "-1"),
        ("timestampdiff(second, '2024-01-01 00:00:00', '2024-01-01 00:01:00')", "60"),
        ("date_trunc('month', '2015-05-08'::date)", "2015-05-01"),
        ("date_trunc('quarter', '2015-05-08 23:39:20'::timestamp)", "2015-04-01 00:00:00"),
        ("date_trunc(week, '2024-01-03'::date)", "2024-01-01"),
        ("trunc('2024-05-15'::date, 'year')", "2024-01-01"),
        ("date_part(quarter, '2024-05-15'::date)", "2"),
        ("date_part(epoch_second, '2024-01-01'::date)", "1704067200"),
        ("extract(month from '2024-05-15'::date)", "5"),
        ("year('2024-05-15'::date)", "2024"),
        ("second('2024-05-15 10:00:07'::timestamp)", "7"),
        ("dayofweek('2024-01-07'::date)", "0"),
        ("dayofweekiso('2024-01-07'::date)", "7"),
        ("dayofyear('2024-02-01'::date)", "32"),
        ("week('2024-12-30'::date)", "1"),
        ("yearofweekiso('2024-12-30'::date)", "2025"),
        ("dayname('2024-01-05'::date)", "Fri"),
        ("monthname('2024-01-05'::date)", "Jan"),
        ("last_day('2024-02-10'::date)", "2024-02-29"),
        ("last_day('2024-02-10'::date, 'quarter')", "2024-03-31"),
        ("last_day('2024-01-03'::date, week)", "2024-01-07"),
        ("add_months('2016-02-29'::date, 1)", "2016-03-31"),
        ("add_months('2016-05-15'::date, 2)", "2016-07-15"),
        ("add_months('2016-01-31 10:00:00'::timestamp, 1)", "2016-02-29 10:00:00"),
        ("months_between('2019-03-01'::date, '2019-02-01'::date)", "1"),
        ("months_between('2019-03-31'::date, '2019-02-28'::date)", "1"),
        ("months_between('2019-03-01'::date, '2019-02-15'::date)", "0.548387"),
        ("next_day('2024-01-05'::date, 'Friday')", "2024-01-12"),
        ("next_day('2024-01-05'::date, 'mo')", "2024-01-08"),
        ("previous_day('2024-01-05'::date, 'fr')", "2023-12-29"),
        ("date_from_parts(2004, 2, 29)", "2004-02-29"),
        ("date_from_parts(2004, 13, 1)", "2005-01-01"),
        ("date_from_parts(2004, 1, 0)", "2003-12-31"),
        ("timestamp_from_parts(2013, 4, 5, 12, 0, 75)", "2013-04-05 12:01:15"),
        ("time_slice('2019-02-28 10:22:00'::timestamp, 15, 'minute')", "2019-02-28 10:15:00"),
        ("time_slice('2019-02-28'::date, 4, 'month', 'start')", "2019-01-01"),
        ("time_slice('2019-02-28'::date, 4, 'month', 'end')", "2019-05-01"),
    ]);
}

#[test]
fn dates_from_and_to_text() {
    check(&[
        ("to_date('2024-01-05')", "2024-01-05"),
        ("to_date('05/01/2024', 'DD/MM/YYYY')", "2024-01-05"),
        ("to_date('2024-01-05 23:59:59')", "2024-01-05"),
        ("to_date('1704067200')", "2024-01-01"),
        ("try_to_date('2024-13-01')", "NULL"),
        ("try_to_date('x', 'YYYY-MM-DD')", "NULL"),
        ("try_to_date('2024-02-03', 'YYYY-MM-DD')", "2024-02-03"),
        ("date('2024-01-05')", "2024-01-05"),
        ("to_timestamp('2024-01-05 10:11:12')", "2024-01-05 10:11:12"),
        ("to_timestamp_ntz('2024-01-05T10:11:12+02:00')", "2024-01-05 10:11:12"),
        ("to_timestamp_tz('2024-01-05T10:11:12+02:00')", "2024-01-05 08:11:12"),
        ("'2024-01-05 10:11:12 -0530'::timestamp_tz", "2024-01-05 15:41:12"),
        ("to_timestamp_tz('2024-01-05T10:11:12Z')", "2024-01-05 10:11:12"),
        ("to_timestamp(1704067200)", "2024-01-01 00:00:00"),
        ("to_timestamp(1704067200123, 3)", "2024-01-01 00:00:00.123"),
        ("to_timestamp('1704067200000')", "2024-01-01 00:00:00"),
        ("to_timestamp('05.01.2024 10:11', 'DD.MM.YYYY HH24:MI')", "2024-01-05 10:11:00"),
        ("try_to_timestamp('soon')", "NULL"),
        ("try_to_timestamp('2024-01-05T10:11:12.5')", "2024-01-05 10:11:12.500"),
        ("to_char('2024-01-05'::date, 'DD-MON-YY')", "05-Jan-24"),
        (
            "to_varchar('2024-01-05 13:04:05.6'::timestamp, 'YYYY-MM-DD HH12:MI:SS.FF3 AM')",
            "2024-01-05 01:04:05.600 PM",
        ),
        ("to_varchar('2024-01-05'::date, 'YYYYMMDD')", "20240105"),
        ("to_varchar(12.5)", "12.5"),
        ("to_varchar(null)", "NULL"),
        ("to_time('10:11:12')", "10:11:12"),
        ("try_to_time('25:00')", "NULL"),
        ("timestamp '2024-01-01 10:00:00'", "2024-01-01 10:00:00"),
        ("'9999-12-31'::timestamp", "9999-12-31 00:00:00"),
        ("current_date() = to_date(current_timestamp())", "true"),
        ("dateadd(day, -30, current_date()) < sysdate()", "true"),
    ]);
}

#[test]
fn variants() {
    check(&[
        (r#"parse_json('{"a": {"b": [1, 2]}}'):a.b[1]::int"#, "2"),
        (r#"parse_json('{"a": "x"}'):a::string"#, "x"),
        (r#"parse_json('{"a": "x"}'):a"#, "\"x\""),
        (r#"parse_json('{"a": null}'):a::string"#, "NULL"),
        (r#"parse_json('{"a": null}'):a is null"#, "false"),
        (r#"parse_json('{"a": 1}'):b is null"#, "true"),
        (r#"parse_json('{"a": "1.7"}'):a::int"#, "2"),
        (r#"parse_json('{"a": "2024-01-05"}'):a::date"#, "2024-01-05"),
        (r#"parse_json('{"a": "2024-01-05T10:00:00Z"}'):a::timestamp_ntz"#, "2024-01-05 10:00:00"),
        (r#"parse_json('{"a": true}'):a::boolean"#, "true"),
        (r#"parse_json('{"A b": 1}'):"A b"::int"#, "1"),
        (r#"parse_json('{"a": 1}')['a']::int"#, "1"),
        (r#"parse_json('{"a": 1}'):A"#, "NULL"),
        (r#"parse_json('{"a": "x"}'):a = 'x'"#, "true"),
        (r#"parse_json('{"a": 5}'):a > 4"#, "true"),
        (r#"parse_json('{"a": 5}'):a + 1"#, "6"),
        (r#"upper(parse_json('{"a": "x"}'):a)"#, "X"),
        (r#"parse_json('{"a": "x"}'):a || 'y'"#, "xy"),
        (r#"parse_json('{"a": "x"}'):a in ('x', 'y')"#, "true"),
        ("parse_json('')", "NULL"),
        ("parse_json(null)", "NULL"),
        ("try_parse_json('{bad')", "NULL"),
        ("try_parse_json('[1]')[0]::int", "1"),
        (r#"get_path(parse_json('{"a": {"b": [5]}}'), 'a.b[0]')::int"#, "5"),
        (r#"get(parse_json('{"a": 7}'), 'a')::int"#, "7"),
        ("get(parse_json('[7, 8]'), 1)::int", "8"),
        (r#"json_extract_path_text('{"a": {"b": "x"}}', 'a.b')"#, "x"),
        ("typeof(parse_json('1'))", "INTEGER"),
        ("typeof(parse_json('1.5'))", "DECIMAL"),
        ("typeof(parse_json('null'))", "NULL_VALUE"),
        ("typeof(parse_json('[1]'))", "ARRAY"),
        ("typeof('x'::variant)", "VARCHAR"),
        ("is_null_value(parse_json('null'))", "true"),
        ("is_null_value(null)", "NULL"),
        ("array_size(parse_json('[1, 2]'))", "2"),
        (r#"array_size(parse_json('{"a": 1}'))"#, "NULL"),
        ("array_contains('b'::variant, array_construct('a', 'b'))", "true"),
        ("array_contains('c'::variant, array_construct('a', 'b'))", "false"),
        ("array_position('b'::variant, array_construct('a', 'b'))", "1"),
        ("array_position('z'::variant, array_construct('a', 'b'))", "NULL"),
        ("array_construct(10, 'x', null)", "[10,\"x\",null]"),
        ("array_construct_compact(10, null, 30)", "[10,30]"),
        ("array_to_string(array_construct('a', 1, 'b'), '-')", "a-1-b"),
        ("array_append(array_construct(1), 2)", "[1,2]"),
        ("array_prepend(array_construct(1), 2)", "[2,1]"),
        ("array_cat(array_construct(1), array_construct('x'))", "[1,\"x\"]"),
        ("array_distinct(array_construct('a', 'b', 'a'))", "[\"a\",\"b\"]"),
        ("array_slice(array_construct(0, 1, 2, 3), 1, 3)", "[1,2]"),
        ("array_slice(array_construct(0, 1, 2, 3), 0, -1)", "[0,1,2]"),
        ("array_flatten(parse_json('[[1, 2], [3]]'))", "[1,2,3]"),
        ("arrays_overlap(array_construct(1, 2), array_construct(2))", "true"),
        ("object_construct('b', 1, 'a', 'x', 'c', null)", "{\"a\":\"x\",\"b\":1}"),
        ("object_construct_keep_null('a', null)", "{\"a\":null}"),
        ("object_construct()", "{}"),
        ("object_construct('a', object_construct('b', 1)):a.b::int", "1"),
        ("object_keys(object_construct('b', 1, 'a', 2))", "[\"a\",\"b\"]"),
        ("object_insert(object_construct('a', 1), 'b', 2)", "{\"a\":1,\"b\":2}"),
        ("object_insert(object_construct('a', 1), 'a', 2, true)", "{\"a\":2}"),
        ("object_delete(object_construct('a', 1, 'b', 2), 'a')", "{\"b\":2}"),
        ("object_pick(object_construct('a', 1, 'b', 2), 'a')", "{\"a\":1}"),
        ("to_json(parse_json('{\"a\" : [1, 2]}'))", "{\"a\":[1,2]}"),
        ("split('127.0.0.1', '.')", "[\"127\",\"0\",\"0\",\"1\"]"),
        ("split('a,b', ',')[0]::string", "a"),
        ("strtok_to_array('a.b.c', '.')", "[\"a\",\"b\",\"c\"]"),
        ("strip_null_value(parse_json('null'))", "NULL"),
        ("{'a': 1}", "{\"a\":1}"),
        ("[1, 2][1]::int", "2"),
    ]);
}

/// Whole queries: the rows in order.
#[test]
fn queries() {
    let adapter = duckdb();
    let mut connection = adapter.connect("test").expect("a connection");
    let setup = "create table orders as select * from (values (1, 'a', 10), (2, 'a', 20), (3, 'b', null), (4, null, 5)) as t(id, kind, amount);
        create table docs as select 1 as id, '{\"items\": [{\"sku\": \"x\", \"n\": 2}, {\"sku\": \"y\", \"n\": 3}]}'::json as v
        union all select 2, '{\"items\": []}'::json";
    connection.execute(setup).expect("the tables");
    let mut wrong = String::new();
    for (query, wanted) in QUERIES {
        let got = run(connection.as_mut(), query).unwrap_or_else(|error| vec![format!("error: {error}")]);
        if got != *wanted {
            let _ = writeln!(wrong, "{query}\n  wanted {wanted:?}\n  got    {got:?}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

const QUERIES: &[(&str, &[&str])] = &[
    ("select id from orders order by amount desc", &["3", "2", "1", "4"]),
    ("select id from orders order by amount", &["4", "1", "2", "3"]),
    (
        "select id, row_number() over (order by amount desc) as n from orders order by n",
        &["3 | 1", "2 | 2", "1 | 3", "4 | 4"],
    ),
    (
        "select id, last_value(id) over (partition by kind order by id) as last from orders where kind = 'a' order by id",
        &["1 | 2", "2 | 2"],
    ),
    ("select listagg(kind, ',') within group (order by id) from orders", &["a,a,b"]),
    ("select listagg(distinct kind, ',') within group (order by kind) from orders", &["a,b"]),
    ("select listagg(kind, ',') from orders where false", &[""]),
    ("select array_agg(kind) within group (order by id desc) from orders", &["[\"b\",\"a\",\"a\"]"]),
    ("select array_agg(amount) from orders where false", &["[]"]),
    ("select object_agg(kind, amount) from orders where id in (2, 3)", &["{\"a\":20}"]),
    ("select count(distinct kind, amount) from orders", &["2"]),
    (
        "select count_if(amount > 5), booland_agg(amount > 5), boolor_agg(amount > 15) from orders",
        &["2 | false | true"],
    ),
    ("select max_by(id, amount), min_by(id, amount), median(amount) from orders", &["2 | 4 | 10"]),
    (
        "select id, ratio_to_report(amount) over () as share from orders where kind = 'a' order by id",
        &["1 | 0.333333", "2 | 0.666667"],
    ),
    ("select kind, sum(amount) from orders group by all having sum(amount) > 6 order by 1", &["a | 30"]),
    (
        "select id from orders qualify row_number() over (partition by kind order by id desc) = 1 order by id",
        &["2", "3", "4"],
    ),
    ("select $1, $2 from values (1, 'x'), (2, 'y') order by $1", &["1 | x", "2 | y"]),
    ("select column2 from (values (1, 'x')) as v", &["x"]),
    (
        "select seq4() as n, dateadd(day, seq4(), '2024-01-01'::date) as d from table(generator(rowcount => 2)) order by n",
        &["0 | 2024-01-01", "1 | 2024-01-02"],
    ),
    (
        "select d.id, f.index, f.value:sku::string, f.value:n * 2 from docs d, lateral flatten(input => d.v:items) f order by 1, 2",
        &["1 | 0 | x | 4", "1 | 1 | y | 6"],
    ),
    (
        "select d.id, f.value:sku::string as sku from docs d, lateral flatten(input => d.v:items, outer => true) f order by 1, 2",
        &["1 | x", "1 | y", "2 | NULL"],
    ),
    (
        "select key, value::int from table(flatten(input => parse_json('{\"b\": 2, \"a\": 1}'))) order by key",
        &["a | 1", "b | 2"],
    ),
    ("select count(*) from table(flatten(input => parse_json('{\"a\": [1, {\"b\": 2}]}'), recursive => true))", &["4"]),
    ("select path from table(flatten(input => parse_json('{\"a\": {\"b\": [7]}}'), path => 'a.b'))", &["[0]"]),
    ("select t.index, t.value from table(split_to_table('a.b', '.')) t order by 1", &["1 | a", "2 | b"]),
    ("select id from orders minus select id from orders where id > 1", &["1"]),
    (
        "select * from (select kind, amount from orders where kind is not null) pivot(sum(amount) for kind in ('a', 'b')) as p (a, b)",
        &["30 | NULL"],
    ),
    (
        "select * from (select 1 as id, 4 as jan, 5 as feb) unpivot(sales for month in (jan, feb)) order by month",
        &["1 | FEB | 5", "1 | JAN | 4"],
    ),
    ("select top 1 id from orders order by id", &["1"]),
    ("select * exclude (kind, amount) from orders where id = 1", &["1"]),
    ("select percentile_cont(0.5) within group (order by amount) from orders", &["10"]),
    (
        "with p as (select v:items as items from docs where id = 1) select items[0]:sku::string, array_size(items) from p",
        &["x | 2"],
    ),
    ("select 1 from dual", &["1"]),
    (
        "select id, lag(amount) ignore nulls over (order by id) from orders order by id",
        &["1 | NULL", "2 | 10", "3 | 20", "4 | 20"],
    ),
];
