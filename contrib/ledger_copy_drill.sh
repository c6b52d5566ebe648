#!/bin/sh
# Makes the registry again from its copy on the other machine, and checks all of it.
#
#     ledger_copy_drill.sh SETTINGS DATA DRILL
#
# SETTINGS are litestream's, DATA the registry's folder with the venue's beside it, DRILL a folder that
# is made and taken away. Exit status 0: the copy is worth something, and the last line says how far it
# is. Else the last line says what is wrong, and DRILL stays.
set -eu
settings=$1
data=$2
drill=$3
PATH=/opt/cea-exchange/bin:$PATH

rm -rf "$drill"
mkdir -p "$drill"
litestream restore -config "$settings" -o "$drill/copy" "$data/registry/registry.sqlite"
(cd "$drill" && sha256sum copy > copy.sha256)
cea-exchange registry restore "$drill/copy" --data "$drill/restored"
cea-exchange registry audit --data "$drill/restored"
if [ -d "$data/venue" ]; then
    cea-exchange registry verify --venue "$data" --data "$drill/restored"
else
    cea-exchange registry verify --data "$drill/restored"
fi
rm -rf "$drill"
