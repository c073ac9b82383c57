# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Completion of spht-replay, spht-trace, spht-record, spht-calibrate and the installed scripts,
# for bash.  `make install` puts it where bash-completion looks; without that, source it.
# What heuristics there are and their parameters are asked of spht-replay itself.

_spht_help()
{
	"$program" --help 2>/dev/null </dev/null
}

# Options of each program; one that needs a value ends in =, one that may have one
# in =?.
_spht_options()
{
	case $1 in
	replay)
		echo --heuristic= --list-configurations --csv= --json= -j --jobs= --knowledge= \
			--legality= --helper-prefetch= --prefetch-window= --mmu-pages= --costs= \
			--guest-time-scale= --clock= --pace= --repetitions= --warmup-runs= --cpus= --smt \
			--helpers= --curve= --kvm= --bypass-guest-pf= --rules= --vm= --roi= \
			--warmup= --interval= --intervals= --histograms= \
			--timeline= --timeline-window= --snapshots= --memory= --partial \
			'--explain=?' --list-misses --verify --timing --quiet '--calibrate=?' \
			--help --version
		;;
	record)
		echo -o --output= -f --force --set --level= -q --quiet -h --help -V --version \
			--vm= -a --all --profile= -e --event= --duration= --size= --buffer= --clock= \
			'--snap=?' --mark-port= --stats= --check --import=
		;;
	calibrate) echo -o --output= --name= --runs= --samples= --lead --pagemap --help --version ;;
	trace) echo --help --version ;;
	trace-info) echo --json --marks --partial --help ;;
	trace-dump)
		echo --format= --event= --from= --to= --cpu= --pid= --vcpu= --partial --no-header --help
		;;
	trace-verify) echo --help ;;
	trace-cut) echo -o --output= --from= --to= --last= --exits= --level= -f --force --help ;;
	trace-repack) echo -o --output= --level= -f --force --help ;;
	sweep) echo --help ;;
	sweep-plan) echo --dir= --replay= --list ;;
	sweep-run) echo --dir= --replay= -j '--parallel=?' '--slurm=?' --threads= --memory= ;;
	sweep-status) echo --dir= --replay= ;;
	sweep-merge) echo --dir= --replay= --csv= ;;
	sweep-shard) echo --dir= --replay= --threads= --memory= ;;
	stats)
		echo --by= --vary= --against= --tune= --part= --choose-by= --choose-at= --format= \
			--level= --resamples= --seed= --output= --help
		;;
	tables) echo --heuristic= --from --to --roi= -j --help ;;
	windows) echo --output= --date= -j --help ;;
	# Another script: what its own help lists.
	*-*) ;;
	*) _spht_help | sed -nE 's/^ +(-[A-Za-z]( [A-Z]+)?, )?(--[a-z-]+)(=?).*/\3\4/p' ;;
	esac
}

# Their first words.
_spht_commands()
{
	case $1 in
	trace) echo info dump verify cut repack ;;
	sweep) echo plan run status merge shard ;;
	stats) echo recordings pooled intervals paired worst parts best all ;;
	tables) echo fidelity ablation bounds windows thesis ;;
	replay | record | calibrate | windows) ;;
	*) _spht_help | sed -nE 's/^  ([a-z]+)  +[^ ].*/\1/p' ;;
	esac
}

# The values of an option, where they are words; of the others some are names of files.
_spht_values()
{
	case $1 in
	replay--knowledge) echo strict inferred optimistic ;;
	replay--legality) echo accessed present ;;
	replay--helper-prefetch | replay--bypass-guest-pf) echo 0 1 ;;
	replay--prefetch-window) echo auto 1 8 16 32 64 ;;
	replay--mmu-pages) echo auto ;;
	replay--clock) echo virtual real ;;
	replay--pace) echo recorded max ;;
	replay--helpers) echo 1 vcpu ;;
	replay--curve) echo latency ;;
	replay--kvm) echo auto 2.6.32 5.10 6.1 6.12 ;;
	replay--rules) echo naive validity lifetime prefetch all ;;
	replay--snapshots) echo use ignore score ;;
	replay--explain) echo miss: t: ;;
	record--profile) echo minimal shadow full ;;
	record--clock) echo mono x86-tsc ;;
	record--snap) echo tables walks ;;
	record--stats) echo json ;;
	record-e | record--event) echo 'kvm:*' 'kvmmmu:*' ;;
	record--set) echo host. guest. kvm. marks. clock_real=true clock_real=false note= ;;
	trace-dump--format) echo csv jsonl ;;
	stats--part) echo tuning reporting ;;
	stats--choose-by) echo avoided_lo avoided avoided_hi ;;
	stats--format) echo markdown csv ;;
	esac
}

# The files that an option or a program takes: a pattern, or nothing where it takes none.
_spht_files()
{
	case $1 in
	*--csv | *--intervals | *--histograms) echo '*.csv' ;;
	*--json | *--timeline | *--costs | *--calibrate | calibrate-o | calibrate--output) echo '*.json' ;;
	stats--output) echo '*' ;;
	windows--output) echo '*.csv' ;;
	record--import | *--dir | *--replay) echo '*' ;;
	*-o | *--output) echo '*.spht' ;;
	*--*) ;;
	stats) echo '*.csv' ;;
	sweep-shard | sweep-plan | sweep-run | sweep-status | sweep-merge) echo '*.json' ;;
	replay | trace-* | tables | tables-* | windows) echo '*.spht' ;;
	trace | record | calibrate | sweep) ;;
	*) echo '*' ;;
	esac
}

# _spht_match WORD...: those that begin with $cur, to COMPREPLY.
_spht_match()
{
	local word

	for word; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
	done
	# More is to come behind these: no blank.
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *[=.:] ]] || _spht_compopt nospace
}

# There is nothing to say it to where a test calls.
_spht_compopt()
{
	compopt -o "$1" 2>/dev/null
}

_spht_match_files()
{
	local file known=$'\n'

	_spht_compopt filenames
	while IFS= read -r file; do
		# A folder is on the way to any file.  The pattern is one.
		# shellcheck disable=SC2053
		if [[ $known != *$'\n'"$file"$'\n'* && (-d $file || ${file##*/} == $1) ]]; then
			COMPREPLY+=("$file")
			known+=$file$'\n'
		fi
	done < <(compgen -f -- "$cur")
}

# Asks the spht-replay beside the program that is completed, or that of PATH.
_spht_ask_replay()
{
	local replay=spht-replay

	[[ $program != */* || ! -x ${program%/*}/spht-replay ]] || replay=${program%/*}/spht-replay
	"$replay" --heuristic="$1" 2>/dev/null </dev/null
}

# NAME, NAME:KEY=, and the values of a KEY that has words for them; or a plugin's path.
_spht_heuristic()
{
	local key text words=() lead

	# Code of a plugin does not run because somebody has pressed a key: it is not asked.
	if [[ $cur == */* ]]; then
		[[ $cur == *:* ]] || _spht_match_files '*.so'
		return
	fi
	if [[ $cur != *:* ]]; then
		read -rd '' -a words < <(_spht_ask_replay help | sed -n 's/^  \([a-z][a-z0-9_]*\) .*/\1/p')
		_spht_match "${words[@]}" help
		return
	fi
	text=$(_spht_ask_replay "${cur%:*}:help")
	key=${cur##*[:,]}
	if [[ $key == *=* ]]; then
		lead=${cur%"${key#*=}"}
		read -rd '' -a words < <(sed -n "/^  ${key%%=*}=/{n;s/^ *choice: //p;s/^ *bool: .*/0|1/p;}" \
			<<<"$text" | tr '|' ' ')
	else
		lead=${cur%"$key"}
		read -rd '' -a words < <(sed -n 's/^  \([a-z][a-z0-9_]*=\).*/\1/p' <<<"$text")
		[[ $key != "${cur#*:}" ]] || words+=(help)
	fi
	_spht_match "${words[@]/#/$lead}"
}

# The word at the cursor as it was typed, to $cur, and that before it: readline breaks words
# at = and :.  $held is what it has of the word already and will not have again.
_spht_whole_word()
{
	local i=$COMP_CWORD

	cur=${COMP_WORDS[i]}
	[[ $cur != [=:] ]] || held=$cur
	while ((i > 1)) && [[ ${COMP_WORDS[i]} == [=:] || ${COMP_WORDS[i - 1]} == [=:] ]]; do
		i=$((i - 1))
		cur=${COMP_WORDS[i]}$cur
		held=${COMP_WORDS[i]}$held
	done
	prev=${COMP_WORDS[i - 1]}
	first=$i
}

# Which command of several it is, to $which: the first word of those, if it has been typed.
_spht_find_command()
{
	local i word commands

	which=$name
	read -ra commands < <(_spht_commands "$name")
	for ((i = 1; i < first; i++)); do
		for word in "${commands[@]}"; do
			if [[ ${COMP_WORDS[i]} == "$word" ]]; then
				which=$name-$word
				return
			fi
		done
	done
}

# What an option takes.
_spht_value()
{
	local words files

	if [[ $1 == --heuristic || $1 == --against ]]; then
		_spht_heuristic
		return
	fi
	read -ra words < <(_spht_values "$which$1" | grep . || _spht_values "$name$1")
	_spht_match "${words[@]}"
	files=$(_spht_files "$which$1" | grep . || _spht_files "$name$1")
	[[ -z $files ]] || _spht_match_files "$files"
}

_spht_words()
{
	local words files

	read -ra words < <(_spht_commands "$name")
	[[ $which != "$name" || ${#words[@]} = 0 ]] || _spht_match "${words[@]}"
	files=$(_spht_files "$which")
	[[ -z $files || ${#COMPREPLY[@]} != 0 ]] || _spht_match_files "$files"
}

_spht()
{
	local program=$1 name=${1##*/} which cur prev first held='' front='' options option

	name=${name#spht-}
	COMPREPLY=()
	_spht_whole_word
	_spht_find_command
	if [[ $name == record && " ${COMP_WORDS[*]:0:first} " == *' -- '* ]]; then
		# The command that is to be recorded, wherever it begins.
		compopt -o default 2>/dev/null
		[[ $prev != -- ]] || read -rd '' -a COMPREPLY < <(compgen -c -- "$cur")
		return
	fi
	read -rd '' -a options < <(_spht_options "$which" | grep . || _spht_options "$name")
	if [[ $cur == --*=* ]]; then
		option=${cur%%=*}
		front=$option=
		cur=${cur#*=}
		_spht_value "$option"
	elif [[ " ${options[*]} " == *" $prev= "* || $prev == -[oje] || $prev == --set ]]; then
		_spht_value "$prev"
	elif [[ $cur == -* ]]; then
		_spht_match "${options[@]%\?}"
	else
		_spht_words
	fi
	COMPREPLY=("${COMPREPLY[@]/#/$front}")
	COMPREPLY=("${COMPREPLY[@]#"$held"}")
}

complete -F _spht spht-replay spht-trace spht-record spht-calibrate spht-sweep spht-stats \
	spht-tables spht-windows spht-plot spht-report
