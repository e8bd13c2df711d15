#!/usr/bin/env bash
# Builds the integration tests of a dbt package on DuckDB with dbt and with strata, and prints what differs.
#
#   tests/compatibility/packages.sh CHECKOUT [DEPENDENCY…] [-- ARGUMENT…]
#
# CHECKOUT and each DEPENDENCY (the packages that it needs) are directories of a package's source; ARGUMENTs go to
# both. DBT and STRATA name the binaries [dbt, strata], WORK a directory for what is written [a temporary one],
# TESTS the project within the package [integration_tests], SCHEMA the target's schema [main], PYTHON the
# interpreter [python3].
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkouts=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    checkouts+=("$(cd "$1" && pwd)")
    shift
done
[ $# -gt 0 ] && shift
[ ${#checkouts[@]} -gt 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
rm -rf "$work/package" "$work/dbt" "$work/strata"

cp -R "${checkouts[0]}" "$work/package"
project=$work/package/${TESTS:-integration_tests}
rm -rf "$project/dbt_packages" "$project/target"
mkdir -p "$project/dbt_packages" "$work/dbt" "$work/strata"
for checkout in "${checkouts[@]}"; do
    name=$(sed -n "s/^name: *['\"]\{0,1\}\([A-Za-z0-9_]*\).*/\1/p" "$checkout/dbt_project.yml")
    mkdir "$project/dbt_packages/$name"
    tar -C "$checkout" --exclude=./integration_tests --exclude=./.git -cf - . |
        tar -C "$project/dbt_packages/$name" -xf -
done
cat > "$work/profiles.yml" <<END
compatibility:
  target: duckdb
  outputs:
    duckdb:
      type: duckdb
      path: "{{ env_var('COMPATIBILITY_DIRECTORY') }}/warehouse.duckdb"
      schema: ${SCHEMA:-main}
      threads: 4
END

# What fails is compared, so a failing build is no reason to stop.
build() {
    COMPATIBILITY_DIRECTORY=$work/$1 "$2" build --full-refresh --project-dir "$project" \
        --profiles-dir "$work" --profile compatibility --target-path "$work/$1" "${@:3}" > "$work/$1/log" 2>&1 ||
        [ -e "$work/$1/run_results.json" ] || { tail -40 "$work/$1/log"; exit 1; }
}
build dbt "${DBT:-dbt}" "$@"
build strata "${STRATA:-strata}" "$@"
"${PYTHON:-python3}" "$here/compare.py" "$work/dbt" "$work/strata"
