#!/bin/bash
# Checks the models of the handshakes with ProVerif. README.md says what is shown.
#   ./run.sh [run...]     all queries, or those of some runs (greeting session return ... as in the list below);
#                         exit 0: all as expected, 1: a difference, 3: no ProVerif
#   ./run.sh --record     all, then writes checked.txt: what was checked, and the results
#   ./run.sh --recorded   needs no ProVerif: are the models those of checked.txt? exit 0 or 1
# PROVERIF: another program than `proverif`; JOBS: queries at a time (2); LIMIT: seconds a query (1200).
set -u
cd "$(dirname "$0")" || exit 1

# run | file | switches (name=value), words of lines left out (-word) | expected.
# Q: holds or broken; R: found or none (may this happen at all?).
runs() { cat <<'LIST'
greeting|greeting.pv||Q1=holds Q2=holds Q3=holds Q4=holds Q5=holds R1=found R2=found R3=found
session|session.pv||Q1=holds Q2=holds Q3=holds Q4=holds Q5=holds R1=found R2=found R3=broken R4=broken R5=broken
return|return.pv||Q1=holds Q2=holds Q3=holds Q4=holds R1=found R2=broken R3=broken R4=broken
return-signed-by-device|return.pv|account_signs=false|Q1=holds Q2=broken Q3=broken R1=found
link|link.pv||Q1=holds Q2=holds Q3=holds Q4=holds R1=found
link-photographed-not-compared|link.pv|person_compares=false qr_replaced=false|Q1=holds Q2=holds Q3=broken Q4=holds R1=found
link-replaced-not-compared|link.pv|person_compares=false|Q1=broken Q2=broken Q3=broken R1=found
link-device-key-not-committed|link.pv|commits_device_key=false -grind_nN -grind_nO -many|Q1=broken Q2=broken
link-device-key-committed|link.pv|-grind_nN -grind_nO -many|Q1=holds Q2=holds
link-answers-many|link.pv|-once -grind_nN -grind_device -many|Q1=broken
link-answers-one|link.pv|-grind_nN -grind_device -many|Q1=holds
link-new-device-does-not-ask|link.pv|new_device_asks=false qr_replaced=false|Q1=holds Q2=holds Q3=broken Q4=holds R1=found
LIST
}

sums() { sha256sum wiremin.pvl ./*.pv run.sh | sed 's, \./, ,'; }

recorded() { grep -E '^[0-9a-f]{64} ' checked.txt 2>/dev/null | cmp -s - <(sums); }

if [ "${1:-}" = --recorded ]; then
  recorded && { echo "models: as checked ($(grep -m1 '^ProVerif' checked.txt))"; exit 0; }
  echo "models: not those that were checked last (checked.txt): run ./run.sh --record with ProVerif"; exit 1
fi

PROVERIF=${PROVERIF:-proverif}
find_tool() { command -v "$PROVERIF" >/dev/null 2>&1; }
install_tool() {   # through opam, OCaml's package manager, which Debian has
  command -v opam >/dev/null 2>&1 || { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 &&
    { apt-get update && apt-get install -y --no-install-recommends opam ocaml-nox build-essential m4; } >/dev/null 2>&1; }
  command -v opam >/dev/null 2>&1 || return 1
  { [ -d "${OPAMROOT:-$HOME/.opam}/repo" ] || timeout 300 opam init -n --bare --disable-sandboxing; } >/dev/null 2>&1 </dev/null || return 1
  { opam switch list -s | grep -q . || timeout 1200 opam switch create -y wiremin-model ocaml-system ||
    timeout 1800 opam switch create -y wiremin-model 4.14.2; } >/dev/null 2>&1 </dev/null
  timeout 1800 opam install -y --assume-depexts proverif >/dev/null 2>&1 </dev/null || timeout 1800 opam install -y proverif >/dev/null 2>&1 </dev/null || return 1
  PROVERIF="$(opam var bin)/proverif"
}
find_tool || install_tool
if ! find_tool; then
  state="are not those of checked.txt"; recorded && state="are those that checked.txt has results of"
  echo "ProVerif is missing, and opam could not install its package proverif here: nothing was checked; the models $state"
  exit 3
fi

record=; [ "${1:-}" = --record ] && { record=1; shift; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export PROVERIF work LIMIT=${LIMIT:-1200}

one() {   # run, file, switches, query, expected
  local m="$work/$1.$4.pv" o="$work/$1.$4.out" s found sw
  # The file with this query alone: what stands before Q1, the query, what stands after the line of dashes.
  awk -v q="$4" '/^\(\* -- \*\)/ { part = 2; next }
    part < 2 && /^\(\* [QR][0-9]+ / { part = 1; on = ($2 == q) }
    part == 0 || part == 2 || on { print }' "$2" > "$m"
  for sw in $3; do
    case $sw in
      -*) grep -q "(\* ${sw#-} \*)" "$m" || { echo "$1: no line marked ${sw#-}"; return; }; sed -i "/(\* ${sw#-} \*)/d" "$m" ;;
      *) grep -q "^letfun ${sw%=*} = " "$m" || { echo "$1: no switch ${sw%=*}"; return; }; sed -i "s/^letfun ${sw%=*} = [a-z]*\./letfun ${sw%=*} = ${sw#*=}./" "$m" ;;
    esac
  done
  s=$SECONDS
  timeout "$LIMIT" nice "$PROVERIF" -lib wiremin.pvl "$m" > "$o" 2>&1
  # Lines "RESULT (but ..." and "RESULT (even ..." only explain the line before.
  found=$(grep '^RESULT [^(]' "$o" | awk '/ is false\.$/ { f = 1 } / is true\.$/ { t = 1 } /cannot be proved\.$/ { u = 1 }
    END { print f ? "broken" : u ? "open" : t ? "holds" : "open" }')
  # What must be able to happen is asked as "not ...".
  if grep -q '^RESULT not ' "$o" && [ "${4#R}" != "$4" ]; then case $found in broken) found=found ;; holds) found=none ;; esac; fi
  printf '%-32s %-3s expected %-7s found %-7s %s\n' "$1" "$4" "$5" "$found" "$([ "$5" = "$found" ] || echo DIFFERENT)" | sed 's/ *$//' > "$work/$1.$4.line"
  printf '%s  (%d s)\n' "$(cat "$work/$1.$4.line")" $((SECONDS - s))
}
export -f one

start=$SECONDS
runs | while IFS='|' read -r name file sw want; do
  [ $# -gt 0 ] && [[ " $* " != *" $name "* ]] && continue
  for w in $want; do printf '%s\0%s\0%s\0%s\0%s\0' "$name" "$file" "$sw" "${w%=*}" "${w#*=}"; done
done | xargs -0 -n 5 -P "${JOBS:-2}" bash -c 'one "$@"' one | tee "$work/all"
n=$(grep -c ' expected ' "$work/all"); bad=$(grep -vc ' expected ' "$work/all"); d=$(grep -c 'DIFFERENT' "$work/all")
version=$("$PROVERIF" --help 2>&1 | grep -o -m1 'Proverif [0-9.]*[0-9]' | sed 's/Proverif/ProVerif/'); version=${version:-ProVerif}
if [ "$n" -gt 0 ] && [ "$d" = 0 ] && [ "$bad" = 0 ]; then
  [ -n "$record" ] && { echo "$version"; sums; sort -V "$work"/*.line; } > checked.txt
  echo "$version: $n passed, 0 failed, $((SECONDS - start)) s"; exit 0
fi
echo "$version: $((n - d)) passed, $((d + bad)) failed, $((SECONDS - start)) s"; exit 1
