#!/bin/sh
# recorded DIR KIND NAME COMMAND [ARGUMENT...]
# Writes DIR/<pid> (start time, kind, name), then becomes COMMAND: so no process of a stack lives
# without the record by which a later run finds it, whatever is killed in between. The start time
# stays the same across exec. It must read as process.StartTime in Go reads it.
dir=$1 kind=$2 name=$3
shift 3
if [ -r /proc/self/stat ]; then
	read -r stat </proc/$$/stat
	read -r boot </proc/sys/kernel/random/boot_id
	# fields after the command's name, which may hold anything; the 22nd of all is the start
	stat=${stat##*) } field=3
	while [ $field -lt 22 ]; do
		stat=${stat#* } field=$((field + 1))
	done
	start=$boot/${stat%% *}
else
	start=
	for word in $(TZ=UTC0 LC_ALL=C ps -o lstart= -p $$); do
		start=${start:+${start}_}$word
	done
fi
echo "$start $kind $name" >"$dir/$$" || exit 126
exec "$@"
