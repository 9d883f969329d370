# What the launchers need, for whoever sources it: `here`, `cache`, `say`, `need` and `class_path`. FLUME_PEER_VERSION is
# the version of Flume; a launcher of another peer sets `version` before, and has a pom.xml with a property of its name.
here=$(dirname "$(readlink -f "$0")")
peer=${here##*/}
version=${version:-${FLUME_PEER_VERSION:-1.11.0}}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/flume/peers/$peer-$version

say() { printf '%s: %s\n' "tests/peers/$peer/${0##*/}" "$*" >&2; }

need() {
    local program=$1 package=$2
    command -v "$program" >/dev/null && return
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
    say "installing $package"
    "${as_root[@]}" apt-get install -qq -y "$package" >/dev/null 2>&1 ||
        { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -qq -y "$package"; } >/dev/null 2>&1 || true
    command -v "$program" >/dev/null || { say "$program is missing (Debian package $package)"; exit 69; }
}

# Into `cache`, of the list of artifacts that is named, else of the agent's. Asked for again when the list has changed, or
# when the jars are no longer there.
class_path() {
    local list=${1:-pom.xml}
    [ "$list" = pom.xml ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/flume/peers/${list%.xml}
    local file=$cache/class-path
    if [ ! -s "$file" ] || [ "$here/$list" -nt "$file" ] || ! [ -e "$(cut -d: -f1 "$file")" ]; then
        need mvn maven
        say "asking Maven for the class path of ${cache##*/}, once"
        # Beside a copy, because Maven leaves things there. Under a name of its own: several may ask at once.
        mkdir -p "$cache/maven"
        cp "$here/$list" "$cache/maven/pom.xml"
        mvn -B -q -f "$cache/maven/pom.xml" "-D$peer=$version" dependency:build-classpath -Dmdep.outputFile="$file.$$" >&2 ||
            { say "Maven did not find what $list names; without a network it cannot the first time"; exit 69; }
        mv "$file.$$" "$file"
    fi
}
