#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who may lean on whom: heuristics/ see the public headers there only, traces/ sees nobody,
# collector/ and replay/ see traces/ and never each other, calibrate/ sees replay/
# and nobody sees it, and only collector/ is linked with the trace-cmd libraries.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 1

# includes ROOM: "file<TAB>header" for each #include of a room; <> keep their brackets.
includes()
{
	find "$1" -name '*.[ch]' | sort | while read -r file; do
		sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*("[^"]*"|<[^>]*>).*/\1/p' \
			"$file" | while read -r header; do
			printf '%s\t%s\n' "$file" "$header"
		done
	done
}

# room_of FILE "HEADER": the folder that a quoted header of FILE is found in, as
# the compiler looks for it: beside the file, at the top, in traces/, in the build.
room_of()
{
	for dir in "$(dirname "$1")" . traces; do
		if [ -e "$dir/$2" ]; then
			found=$(cd "$(dirname "$dir/$2")" && pwd)
			found=${found#"$TOP"/}
			echo "${found%%/*}"
			return
		fi
	done
	case $2 in
	version.h) echo generated ;;
	*) echo unknown ;;
	esac
}

# sees ROOM ALLOWED...: every quoted header in ROOM is in an ALLOWED folder.
sees()
{
	room=$1
	shift
	includes "$room" >"$T/includes"
	: >"$T/bad"
	while IFS='	' read -r file header; do
		case $header in
		'<'*) continue ;;
		esac
		header=${header#\"}
		header=${header%\"}
		where=$(room_of "$file" "$header")
		case " $* " in
		*" $where "*) ;;
		*) echo "$file includes $header ($where)" >>"$T/bad" ;;
		esac
	done <"$T/includes"
}

none()
{
	cat "$1" >&2
	[ ! -s "$1" ]
}

libc='assert|ctype|errno|float|inttypes|limits|math|stdalign|stdbool|stddef|stdint|stdlib|string'

# only ROOM FILES HEADERS: of the project's headers, these FILES include HEADERS only.
only()
{
	includes "$1" | grep -E "^$2	" >"$T/includes"
	# A heuristic without any include could not even declare itself.
	[ -s "$T/includes" ] || return 1
	grep -vE "	($3|<($libc)\.h>)\$" "$T/includes" >"$T/bad"
	none "$T/bad"
}
check "a heuristic includes the public headers of its folder and plain C headers only" \
	only heuristics '.*\.c' '"(heuristics/)?(heuristic|lru|asked)\.h"'
check "so do these headers themselves, but for each other" \
	only heuristics '.*\.h' '"(heuristic|lru|asked)\.h"'
check "an example includes them as they are installed" \
	only examples '.*\.[ch]' '<spht/(heuristic|lru|asked)\.h>'
sed -n 's/^PUBLIC_HEADERS := //p' Makefile | tr ' ' '\n' | sort >"$T/public"
find heuristics -name '*.h' | sort >"$T/headers"
check "all headers of heuristics are installed" cmp "$T/public" "$T/headers"

sees traces traces generated
check "traces/ includes nothing of the other rooms" none "$T/bad"
sees replay replay heuristics traces generated
check "replay/ includes replay/, heuristics/ and traces/ only" none "$T/bad"
sees collector collector traces generated
check "collector/ includes collector/ and traces/ only" none "$T/bad"

sees calibrate calibrate replay traces generated
check "calibrate/ includes calibrate/, replay/ and traces/ only" none "$T/bad"

for room in traces replay heuristics calibrate; do
	includes "$room" | grep -E '<(tracefs|traceevent|event-parse|trace-cmd|trace-seq|kbuffer)' \
		>"$T/bad"
	check "$room/ includes no header of the trace-cmd libraries" none "$T/bad"
done

# A sanitizer's own libraries are in a check-asan build only.
own='linux-vdso|linux-gate|ld-linux|ld64|libc|libm|libpthread|libdl|librt|libzstd|libjansson'
own="$own|libasan|libubsan|libtsan|libgcc_s|libstdc\+\+"
if command -v ldd >/dev/null; then
	for prog in "$SPHT_TRACE" "$SPHT_REPLAY"; do
		name=$(basename "$prog")
		if check "ldd can read $name" ldd "$prog"; then
			awk '{ n = $1; sub(".*/", "", n); print n }' "$T/out" |
				grep -vE "^($own)[-.0-9a-z_]*\$" >"$T/bad"
			check "$name is linked with libc, libzstd and jansson only" none "$T/bad"
		fi
	done
else
	skip "programs are linked with libc, libzstd and jansson only" "no ldd here"
fi

finish
