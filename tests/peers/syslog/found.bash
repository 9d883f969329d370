# What both launchers need: the daemon of the name in $name, unpacked below $cache. Sourced, never run.
# shellcheck shell=bash

case $name in
    rsyslog) packages=(rsyslog rsyslog-openssl) program=usr/sbin/rsyslogd ;;
    syslog-ng) packages=(syslog-ng-core) program=usr/sbin/syslog-ng ;;
    *) say "$name is none of rsyslog and syslog-ng"; exit 2 ;;
esac

cache=${XDG_CACHE_HOME:-$HOME/.cache}/flume/peers/$name
if ! [ -x "$cache/$program" ]; then
    say "unpacking ${packages[*]}, once"
    own=$cache.$$
    mkdir -p "$own/packages/partial"
    for attempt in fetch update; do
        [ $attempt = fetch ] || apt-get update -qq >/dev/null 2>&1 || true
        # With all that they need and this host has not.
        apt-get install -qq -y --no-install-recommends --download-only -o "Dir::Cache::archives=$own/packages" \
            "${packages[@]}" >/dev/null 2>&1 && break
    done || true
    for package in "$own"/packages/*.deb; do
        [ -e "$package" ] || { say "the Debian packages ${packages[*]} cannot be had"; rm -rf "$own"; exit 69; }
        dpkg-deb -x "$package" "$own"
    done
    rm -rf "$own/packages"
    mv -T "$own" "$cache" 2>/dev/null || rm -rf "$own"
fi
libraries=$(find "$cache" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
