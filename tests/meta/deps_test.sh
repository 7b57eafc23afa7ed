#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/deps.sh: silent when nothing is missing; installs what is missing as root or by sudo; else
# prints the command to type. Runs with a PATH of its own, where apt-get and sudo only note the call.
set -u
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

failed=0
fail() {
	echo "failed: $1"
	[ -z "${2-}" ] || sed 's/^/	/' "$2"
	failed=1
}

mkdir "$dir/bin"
for command in env make; do
	ln -s "$(command -v $command)" "$dir/bin/$command"
done
for command in gcc objcopy cmake pkg-config; do
	echo '#!/bin/sh' >"$dir/bin/$command"
done
script() {
	cat >"$dir/bin/$1"
	chmod +x "$dir/bin"/*
}
# deps USER: runs it; the calls of apt-get are in $dir/calls, the output in $dir/output.
deps() {
	: >"$dir/calls"
	echo "echo $1" | script id
	PATH=$dir/bin /bin/sh "$TUZA_SOURCE_DIR/tools/deps.sh" build >"$dir/output" 2>&1
}
echo "echo \"\$*\" >>$dir/calls; case \$* in *install*) : >$dir/bin/ninja;; esac; chmod +x $dir/bin/*" >"$dir/apt"
sed -i "s|chmod +x|$(command -v chmod) +x|; 1i #!/bin/sh" "$dir/apt"
script apt-get <"$dir/apt"

# ninja is missing, an ordinary user without sudo
deps 1000 && fail "it succeeds with a package missing" "$dir/output"
grep -q '^	apt-get update && apt-get install --no-install-recommends -y ninja-build$' "$dir/output" ||
	fail "the command to type is not printed" "$dir/output"
[ ! -s "$dir/calls" ] || fail "it calls apt-get without the right to" "$dir/calls"

# as root
deps 0 || fail "it fails as root" "$dir/output"
grep -q '^install .* ninja-build$' "$dir/calls" || fail "the package is not installed" "$dir/calls"
head -n 1 "$dir/calls" | grep -q '^update' || fail "the lists are not fetched first" "$dir/calls"

# nothing is missing
deps 0 || fail "it fails with nothing missing" "$dir/output"
[ ! -s "$dir/output" ] || fail "it is not silent" "$dir/output"
[ ! -s "$dir/calls" ] || fail "it calls apt-get with nothing missing" "$dir/calls"

# a user with sudo
rm "$dir/bin/ninja"
script sudo <<'END'
#!/bin/sh
shift
"$@"
END
deps 1000 || fail "it fails with sudo" "$dir/output"
grep -q '^install .* ninja-build$' "$dir/calls" || fail "the package is not installed by sudo" "$dir/calls"

# the package archive is out of reach
rm "$dir/bin/ninja"
printf '#!/bin/sh\nexit 100\n' | script apt-get
deps 0 && fail "it succeeds without an archive" "$dir/output"
grep -q '^	apt-get update && apt-get install' "$dir/output" || fail "no command is printed" "$dir/output"

exit $failed
