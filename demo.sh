#!/usr/bin/env bash
# Builds strata, makes a project from project_template/, and runs two days of sample data through it.
# Usage: demo.sh [flags for cargo, as one text]; `make demo` calls it.
set -euo pipefail
cd "$(dirname "$0")"

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

say "done: the project is in $demo"
