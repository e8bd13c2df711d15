#!/usr/bin/env bash
# Builds strata, makes a project from project_template/, and runs two days of sample data through it.
# Usage: demo.sh [flags for cargo, as one text] [stage]; `make demo` calls it. With `stage` the same days also run on a
# Snowflake account that is none, on this machine, and the dimensions of both are compared.
set -euo pipefail
cd "$(dirname "$0")"
repository=$PWD
target=${2:-dev}

say() { printf '\n── %s\n' "$*"; }

say "building strata"
# The development profile: dependencies are optimised in it, and it builds in a fraction of the time.
# shellcheck disable=SC2086 # the flags are several words
cargo build ${1:-}
target_directory=$(cargo metadata --format-version 1 --no-deps | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
strata="$target_directory/debug/strata"

demo="$target_directory/demo"
rm -rf "$demo"
say "strata init: a new project in $demo"
cd "$target_directory"
"$strata" init demo
cd demo

# Every version of every customer, as JSON. What only a run can date (a customer that is gone, or is back) has other
# stamps, and so other keys, in each run.
dimension() { # [flags]
  "$strata" show --quiet "$@" --limit -1 --output json --inline "
    select case when effective_from < current_date then customer_key end as customer_key, customer_id, version_number, first_name, last_name, full_name, email, phone, street, city,
      country_code, country_name, source_systems, customer_segment, customer_status, changed_at,
      case when effective_from < current_date then effective_from end as effective_from, effective_to is null as is_open, case when effective_to < current_date then effective_to end as effective_to,
      is_current
    from {{ ref('dim_customer') }} order by customer_id, version_number" | tr '[:upper:]' '[:lower:]'
}

say "strata build: day 1, from the recorded answers of a CRM and an ERP"
"$strata" build 2>&1 | grep -v " PASS " # the tests that pass are many

say "strata build: day 2, only what changed since"
SAMPLE_DATA=sample_data/day_2 "$strata" build 2>&1 | grep -v " PASS "

say "customers that changed, with both versions"
"$strata" show --limit 20 --inline "
  select customer_id, version_number, full_name, email, city, source_systems,
    effective_from::date as valid_from, effective_to::date as valid_to, is_current
  from {{ ref('dim_customer') }}
  where customer_id in ('CRM:C-00110', 'CRM:C-00402', 'CRM:C-00602', 'CRM:C-03102')
  order by customer_id, version_number"

say "strata scd2 check: the invariants of the dimension, proved on the data"
"$strata" scd2 check dim_customer

if [ "$target" = stage ]; then
  say "a stage for Snowflake: the protocol and much of the SQL, no account"
  coproc STAGE { python3 "$repository/tests/stage/start.py" --until-stdin-closes; }
  read -r answer <&"${STAGE[0]}"
  export STAGE_PORT=${answer//[!0-9]/}
  mkdir -p stage
  cat > stage/profiles.yml <<PROFILE
demo:
  target: stage
  outputs:
    stage:
      {type: snowflake, account: stage, host: 127.0.0.1, port: "{{ env_var('STAGE_PORT') | int }}", protocol: http,
       user: demo, password: none, role: TRANSFORMER, warehouse: ETL_WH, database: ANALYTICS, schema: PROD, threads: 4,
       extract: {replay: "{{ env_var('SAMPLE_DATA', 'sample_data/day_1') }}"}}
PROFILE
  for day in day_1 day_2; do
    say "strata build on the stage: $day"
    SAMPLE_DATA=sample_data/$day "$strata" build --profiles-dir stage 2>&1 | grep -v " PASS "
  done
  say "dim_customer of both, row by row"
  dimension > stage/duckdb.json
  dimension --profiles-dir stage > stage/snowflake.json
  cmp stage/duckdb.json stage/snowflake.json
  echo "equal: $(grep -c customer_key stage/snowflake.json) rows"
fi

say "done: the project is in $demo"
