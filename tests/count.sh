# Sourced: counts what passed and what failed. Needs tests/step.sh.
#
# gate NAME TEXT COMMAND...    one check: passed or failed.
# suite NAME TEXT COMMAND...   tests, counted from what cargo, vitest or node printed. A suite that
#                              ends with an error without naming a failed test has failed once, and
#                              so has one without a single test.
# summary                      prints the totals, writes them to $LOGS/summary, returns 1 on failure.

PASSED=0
FAILED=0
FAILURES=()

gate() {
    if step "$@"; then
        PASSED=$((PASSED + 1))
    else
        gate_failed "$2"
    fi
}

gate_failed() {
    FAILED=$((FAILED + 1))
    FAILURES+=("$1")
}

suite() {
    local name=$1 text=$2 code=0 passed failed
    step "$@" || code=$?
    read -r passed failed < <(count_log "$LOGS/$name.log")
    if [ "$failed" = 0 ] && { [ "$code" != 0 ] || [ "$passed" = 0 ]; }; then
        failed=1
    fi
    printf '    %d passed, %d failed\n' "$passed" "$failed"
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
    [ "$failed" = 0 ] && return
    FAILURES+=("$text ($LOGS/$name.log)")
    # The end of a long log seldom names the test.
    grep -E '^test .* FAILED$|^error(\[|:)|panicked at|^ *(not ok|✖|×|FAIL) ' "$LOGS/$name.log" |
        head -n 20 | sed 's/^ */    /'
}

# Prints "passed failed" of a log:
#   cargo   test result: ok. 12 passed; 0 failed; 0 ignored; ...
#   vitest  Tests  1 failed | 11 passed (12)
#   node    # pass 11 / # fail 1 / # cancelled 0       (or with an "i" in a circle for the "#")
count_log() {
    sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
        /^test result: / { passed += $4; failed += $6 }
        /^ *Tests  / {
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) passed += $(i - 1)
                if ($i ~ /^failed/) failed += $(i - 1)
            }
        }
        /^(#|ℹ) pass [0-9]+$/ { passed += $3 }
        /^(#|ℹ) (fail|cancelled) [0-9]+$/ { failed += $3 }
        END { print passed + 0, failed + 0 }'
}

summary() {
    local failure
    printf '\n%d passed, %d failed, %d s\n' "$PASSED" "$FAILED" "$SECONDS"
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED" >"$LOGS/summary"
    for failure in ${FAILURES[@]+"${FAILURES[@]}"}; do
        printf '  failed: %s\n' "$failure"
    done
    [ "$FAILED" = 0 ]
}
