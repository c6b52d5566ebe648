#!/bin/sh
# Copies venue, registry and, where they are, platform and CCER registry; makes them anew elsewhere of
# the copies, replays and compares all of it.
# So a byte that has changed on the disk, in an archived segment too, is found within a day.
#
#     nightly.sh DATA BACKUPS
#
# Exit status 0: today's copy is in BACKUPS/DAY, and it is worth something. Else the last line says what
# is wrong; the copy is kept, as BACKUPS/DAY.bad.
set -eu
data=$1
backups=$2
day=$(date +%Y-%m-%dT%H%M%S)
copy=$backups/$day
drill=$backups/drill
PATH=/opt/cea-exchange/bin:$PATH

mkdir -p "$copy"
rm -rf "$drill"
trap 'mv "$copy" "$copy.bad"; rm -rf "$drill"' EXIT

# The registry last: a registry that is newer than the venue's copy asks it for nothing it lacks.
cea-exchange venue backup "$copy/venue" --data "$data"
cea-exchange registry backup --out "$copy/registry" --data "$data"

cea-exchange venue restore "$copy/venue" --data "$drill"
cea-exchange registry restore "$copy/registry" --data "$drill"
cea-exchange registry verify --venue "$drill" --data "$drill"
cea-exchange registry audit --data "$drill"

# After the registry: what it has of them is in their copies, too.
for system in platform ccer; do
    if [ -d "$data/$system" ]; then
        cea-exchange "$system" backup --out "$copy/$system" --data "$data"
        cea-exchange "$system" restore "$copy/$system" --data "$drill"
        cea-exchange "$system" verify --data "$drill"
        cea-exchange "$system" audit --data "$drill"
    fi
done

trap - EXIT
rm -rf "$drill"
echo "$copy is good"
