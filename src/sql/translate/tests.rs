//! Translation as a whole: what is written, and what is refused where.

use super::*;

fn result(sql: &str) -> Result<String, Diagnostics> {
    translate(&SourceFile::new("target/compiled/shop/models/orders.sql", sql), Dialect::Snowflake, Dialect::DuckDb)
}

fn translated(sql: &str) -> String {
    let text = result(sql).unwrap_or_else(|found| panic!("{sql}\n{found:#?}"));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is underlined, and the message.
fn refused(sql: &str) -> Vec<(String, String)> {
    let found = result(sql).expect_err("it cannot be said on DuckDB");
    let place = |finding: &Diagnostic| finding.labels().first().map(|label| label.span.text().to_owned());
    found.iter().map(|finding| (place(finding).unwrap_or_default(), finding.message().to_owned())).collect()
}

#[test]
fn what_both_say_alike_stays_byte_for_byte() {
    let sql =
        "select  a,\n  upper(b) as b -- kept\nfrom t\nqualify row_number() over (partition by a order by b) = 1\n";
    assert_eq!(result(sql).as_deref(), Ok(sql));
    let file = SourceFile::new("a.sql", sql);
    assert_eq!(translate(&file, Dialect::DuckDb, Dialect::DuckDb).as_deref(), Ok(sql));
}

#[test]
fn comments_and_commas_that_duckdb_does_not_read_go_away() {
    assert_eq!(translated("select a, // why\n b, from t"), "SELECT a, b FROM t");
}

#[test]
fn the_cleansing_of_customers() {
    let sql = r"with cleaned as (
  select
    upper(trim(customer_id)) as customer_id,
    initcap(trim(first_name)) as first_name,
    concat_ws(' ', first_name, last_name) as full_name,
    case when regexp_like(lower(trim(email)), '^[^@]+@[^@]+\\.[^@]+$') then lower(trim(email)) end as email,
    nullif(regexp_replace(phone, '[^0-9]', ''), '') as phone_cleaned,
    try_parse_json(address_json) as address_parsed,
    address_parsed:city::string as city
  from raw.customers
)
select *, row_number() over (partition by coalesce(email, customer_id) order by extracted_at desc) as priority
from cleaned
where last_activity > dateadd(day, -30, current_date())
qualify priority = 1";
    insta::assert_snapshot!(result(sql).expect("all of it can be said"));
}

#[test]
fn variants_are_told_from_text_by_what_the_query_says() {
    assert_eq!(translated("select v:a.b[0].c::string from t"), "SELECT (v ->> '$.a.b[0].c') FROM t");
    assert_eq!(
        translated("select v['a']['b c']::number(9, 2) from t"),
        r#"SELECT (v ->> '$.a."b c"')::DECIMAL(9,2) FROM t"#
    );
    assert_eq!(translated("select v[x]:k from t"), "SELECT (snowflake.get(v, x) -> '$.k') FROM t");
    assert_eq!(
        translated("with p as (select parse_json(raw) as doc from t) select upper(doc), doc = 'x' from p"),
        "WITH p AS ( SELECT snowflake.parse_json(raw) AS doc FROM t ) \
         SELECT upper(snowflake.to_varchar(doc)), snowflake.to_varchar(doc) = 'x' FROM p"
    );
    assert_eq!(
        translated("select f.value:id::int from t, lateral flatten(input => t.v:items) f"),
        "SELECT snowflake.to_integer(f.value ->> '$.id') FROM t, snowflake.flatten((t.v -> '$.items')) f"
    );
}

#[test]
fn order_of_nulls_and_frames_are_written_out() {
    assert_eq!(
        translated("select last_value(a) over (partition by b order by c desc) from t order by d desc, e"),
        "SELECT last_value(a) OVER ( PARTITION BY b ORDER BY c DESC NULLS FIRST \
         ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING ) FROM t ORDER BY d DESC NULLS FIRST, e"
    );
}

#[test]
fn statements_lose_what_only_snowflake_stores() {
    assert_eq!(
        translated("create or replace transient table a.b cluster by (x) as select nvl(a, 1) as c from t"),
        "CREATE OR REPLACE TABLE a.b AS SELECT coalesce(a, 1) AS c FROM t"
    );
    assert_eq!(
        translated("create table a (x number(10,2), y timestamp_ntz not null, v variant, s string(10))"),
        "CREATE TABLE a ( x DECIMAL(10,2), y TIMESTAMP NOT NULL, v JSON, s VARCHAR )"
    );
    assert_eq!(
        translated(
            "merge into t using s on t.id = s.id when matched then update set at = current_timestamp() when not matched then insert (id) values (s.id)"
        ),
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET at = snowflake.current_timestamp() WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)"
    );
}

#[test]
fn everything_that_cannot_be_said_is_found_at_once() {
    let found = refused("select hash(a), datedif(day, a, b), my.own(a)\nfrom t\norder by v:n");
    assert_eq!(
        found,
        [
            ("hash".to_owned(), "`hash` on DuckDB: it has no counterpart".to_owned()),
            ("datedif".to_owned(), "`datedif` on DuckDB: no such function is known".to_owned()),
            ("v".to_owned(), "ordering by a VARIANT on DuckDB: its JSON text would be ordered".to_owned()),
        ]
    );
}

#[test]
fn refusals_name_the_construct_and_its_place() {
    let cases = [
        ("select v:a = b from t", "v", "comparing a VARIANT"),
        ("select max(v:a) from t", "max", "`max`"),
        ("select a from t start with a = 1 connect by prior a = b", "select", "`connect by`"),
        ("select * from t, lateral flatten(input => t.v) f", "*", "all columns of `flatten`"),
        ("select a from t at(offset => -60)", "t", "`at` or `before`"),
        ("select to_varchar(a, '999.00') from t", "to_varchar", "a number format"),
        ("select to_date(a, 'YYYY-QQ') from t", "to_date", "the format element `Q`"),
        ("select date_trunc('fortnight', a) from t", "date_trunc", "`fortnight` is no part of a date"),
        ("select regexp_like(a, 'x', 'q') from t", "regexp_like", "the parameter `q`"),
        ("select iff(a, b) from t", "iff", "it takes 3 arguments, not 2"),
        ("select a::geography from t", "a", "no counterpart of the type geography"),
        ("select $2 from t", "$2", "a column by its number"),
        ("select $name from t", "$name", "a session variable"),
        ("insert overwrite into t select 1", "insert", "`insert overwrite`"),
        ("select a from t where t.a = u.a(+)", "u.a", "the join operator (+)"),
        ("select interval '1.5 days'", "'1.5 days'", "an interval"),
        ("grant select on t to role r", "", "`grant select`"),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(sql, place, words)| {
            let found = refused(sql);
            let right = found[0].0 == *place && found[0].1.contains(words);
            (!right).then(|| format!("{sql}: {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_syntax_error_is_one_finding() {
    let found = result("select a,\nfrom t where )").expect_err("no SQL");
    let codes: Vec<Code> = found.iter().map(Diagnostic::code).collect();
    assert_eq!(codes, [Code::SqlSyntax]);
}

#[test]
fn duckdb_is_not_translated_for_snowflake() {
    let file = SourceFile::new("a.sql", "select 1");
    let found = translate(&file, Dialect::DuckDb, Dialect::Snowflake).expect_err("no such way");
    assert!(
        found.iter().next().and_then(Diagnostic::advice).is_some_and(|advice| advice.contains("dialect: snowflake"))
    );
}

/// What is printed is what DuckDB's grammar reads, and saying it again changes nothing that was said once.
#[test]
fn printed_sql_parses_as_duckdb() {
    for sql in [
        r"select 'a\nb', 'it\'s', $$x'$$, v:a.b['c d'], a::number(3,1), iff(a, 'x', null) from t sample (10)",
        "select * exclude (a) replace (b || 'x' as b) from t",
        "select listagg(distinct a, ',') within group (order by a desc) from t group by all",
        "select * from t pivot(sum(a) for b in ('x', 'y')) p, u unpivot(s for m in (jan, feb))",
        "select count(distinct a, b), array_agg(a) within group (order by b), object_agg(k, v) from t",
    ] {
        let text = result(sql).expect("it can be said");
        assert!(parse(&text, Dialect::DuckDb).is_ok(), "{text}\n{:?}", parse(&text, Dialect::DuckDb).err());
    }
}
