#!/bin/sh
# Installs what the tests need besides Go, from Debian's packages. It fails, and
# says what is missing, where it may not install.
set -eu

missing=""
command -v xmllint >/dev/null 2>&1 || missing="$missing libxml2-utils"
command -v nginx >/dev/null 2>&1 || test -x /usr/sbin/nginx || missing="$missing nginx-light"
/usr/bin/python3 -c 'import zeep' >/dev/null 2>&1 || missing="$missing python3-zeep"
command -v testssl >/dev/null 2>&1 || missing="$missing testssl.sh"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
command -v strace >/dev/null 2>&1 || missing="$missing strace"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
test -x /usr/sbin/slapd || missing="$missing slapd"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	sudo=""
elif command -v sudo >/dev/null 2>&1; then
	sudo="sudo"
else
	echo "These packages are missing, and only root may install them:$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
case "$missing" in
*postgresql*) # the tests start servers of their own
	$sudo mkdir -p /etc/postgresql-common/createcluster.d
	echo "create_main_cluster = false" | $sudo tee /etc/postgresql-common/createcluster.d/ward.conf >/dev/null
	;;
esac
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$sudo apt-get install -y -qq --no-install-recommends $missing
