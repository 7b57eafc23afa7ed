# SPDX-License-Identifier: MIT
#
# Turns a public header into a manual page: its first comment is the description; each declaration
# is shown with the comment before it. Private parts are left out: names that end in an underscore,
# sections that say so, and what is for C++ or for tools. See gen_man.sh.
#
#   page     its name, "tuza-chan"
#   header   "tuza/chan.h"
#   version  of the library
#   names    a file that gets the names which the page describes, one a line

# ---- text ----------------------------------------------------------------------------------------

function escaped(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	gsub(/'/, "\\(aq", text)
	if (text ~ /^[.]/)
		text = "\\&" text
	return text
}

# `x` is an argument or a piece of code.
function prose(text) {
	text = escaped(text)
	while (match(text, /`[^`]+`/))
		text = substr(text, 1, RSTART - 1) "\\fI" substr(text, RSTART + 1, RLENGTH - 2) "\\fR" \
			substr(text, RSTART + RLENGTH)
	return text
}

function begin_code() {
	if (!in_code)
		print ".PP\n.RS 4\n.EX"
	in_code = 1
}

function end_code() {
	if (in_code)
		print ".EE\n.RE"
	in_code = 0
}

# "Returns   the channel" and the like: what stands before the channel, or "".
function label(line) {
	return match(line, "^(" labels ")(, (" labels "))*   *") ? substr(line, 1, RLENGTH) : ""
}

# A comment, without its stars: paragraphs, code (indented by a tab), arguments (by three spaces),
# labels.
function print_comment(lines, n,    i, line, head) {
	for (i = 1; i <= n; i++) {
		line = lines[i]
		if (line ~ /^\t/) {
			begin_code()
			print escaped(substr(line, 2))
			continue
		}
		if (line == "") {
			if (in_code && lines[i + 1] ~ /^\t/)
				print ""
			else
				is_new = 1
			continue
		}
		end_code()
		if ((head = label(line)) != "") {
			line = substr(line, length(head) + 1)
			sub(/ +$/, "", head)
			print ".TP\n.B " head "\n" prose(line)
		} else if (line ~ /^  * - /) {
			sub(/^  * - /, "", line)
			print ".IP \\(bu 2\n" prose(line)
		} else if (match(line, /^  [^ ]+(, [^ ]+)*  +/) && RLENGTH < length(line)) {
			head = substr(line, 3, RLENGTH - 2)
			line = substr(line, RLENGTH + 1)
			sub(/ +$/, "", head)
			print ".TP\n.I " escaped(head) "\n" prose(line)
		} else {
			if (is_new && line !~ /^ /)
				print ".PP"
			sub(/^ +/, "", line)
			print prose(line)
		}
		is_new = 0
	}
	end_code()
}

# ---- declarations --------------------------------------------------------------------------------

# Without what only compilers want to know.
function plain(text,    depth, i, c) {
	gsub(/TUZA_MUST_USE |TUZA_NORETURN_ |TUZA_INLINE_ |static inline /, "", text)
	while (match(text, /[ \t\n]*(TUZA_(TSA|PRINTF|FREED_BY|ADDRESS_ONLY)_|__attribute__)\(/)) {
		depth = 0
		for (i = RSTART + RLENGTH - 1; i <= length(text); i++) {
			c = substr(text, i, 1)
			depth += (c == "(") - (c == ")")
			if (depth == 0)
				break
		}
		text = substr(text, 1, RSTART - 1) substr(text, i + 1)
	}
	sub(/^typedef struct +tuza/, "typedef struct tuza", text)
	if (text !~ /^(typedef|enum|struct)/)
		sub(/ {.*/, ";", text) # of an inline function
	return text
}

# What a declaration declares.
function name_of(text, is_macro) {
	if (is_macro)
		return match(text, /^[A-Za-z0-9_]+/) ? substr(text, 1, RLENGTH) : ""
	if (match(text, /\(\*tuza_[a-z0-9_]+\)\(/) && text ~ /^typedef/)
		return substr(text, RSTART + 2, RLENGTH - 4)
	if (text ~ /^(typedef|enum)/ && match(text, /tuza_[a-z0-9_]+;$/))
		return substr(text, RSTART, RLENGTH - 1)
	if (text ~ /^(typedef|enum|struct)/)
		return match(text, /^enum tuza_[a-z0-9_]+/) ? substr(text, 6, RLENGTH - 5) : ""
	if (match(text, /tuza_[a-z0-9_]+\(/))
		return substr(text, RSTART, RLENGTH - 1)
	return ""
}

function is_private(text, name) {
	if (name ~ /_$/ || text ~ /^extern / || name == "" && text !~ /^enum/)
		return 1
	if (text ~ /^typedef struct.*; *\/\/ tuza\//) # declared by another header
		return 1
	return text ~ /^enum/ && text ~ /[A-Z]_,/ && text !~ /[A-Z0-9],/
}

function add_declaration(text, is_macro,    name) {
	text = plain(text)
	name = name_of(text, is_macro)
	if (is_private(text, name))
		return
	declarations[++declaration_count] = text
	if (name ~ /^(tuza|TUZA)_/)
		print name >names
}

# What came before this line belongs together, and is complete.
function flush(    i, text) {
	if (!in_section && (declaration_count > 0 || comment_count > 0 && !had_declaration)) {
		print ".SH DECLARATIONS"
		in_section = 1
	}
	if (declaration_count > 0) {
		print ".PP\n.nf"
		for (i = 1; i <= declaration_count; i++) {
			print ".ft B\n" escaped(declarations[i]) "\n.ft R"
		}
		print ".fi"
	}
	if (comment_count > 0 && (declaration_count > 0 || !had_declaration)) {
		print (declaration_count > 0 ? ".RS 4" : ".PP")
		print_comment(comment, comment_count)
		if (declaration_count > 0)
			print ".RE"
	}
	comment_count = declaration_count = had_declaration = 0
}

# ---- the header ----------------------------------------------------------------------------------

BEGIN {
	labels = "Returns|Errors|Panics|Blocks|Cancel|Callable from|Orders|Owns|Owns/frees|Otherwise|Go"
	printf ".\\\" Made of %s by tools/gen_man.sh.\n", header
	printf ".TH %s 3 \"\" \"tuza %s\" \"C library\"\n", toupper(page), version
}

# Conditions: what is for C++ or for tools is skipped, and what is said of compilers.
/^#[ \t]*if/ {
	if (/__GNUC__/)
		comment_count = 0
	depth++
	kind[depth] = /^#ifndef __cplusplus/ ? "until else" : "keep"
	if (/^#ifdef __cplusplus|defined\(TUZA_VET_\)|TUZA_WATCH_LOCKS|__GNUC__/)
		kind[depth] = "skip"
	next
}
/^#[ \t]*el/ {
	if (kind[depth] != "keep")
		kind[depth] = kind[depth] == "skip" ? "keep" : "skip"
	next
}
/^#[ \t]*endif/ {
	depth--
	next
}
{
	for (i = 1; i <= depth; i++)
		if (kind[i] == "skip")
			next
}

/^\/\/ SPDX/ { next }

# The first comment is the description.
/^\/\*$/ && !described {
	inside = 1
	next
}
inside && !described {
	if (/^ \*\/$/) {
		described = 1
		inside = 0
		# One line, of its first sentence.
		for (i = 1; i <= comment_count && comment[i] != ""; i++)
			title = title (i > 1 ? " " : "") comment[i]
		sub(/\. .*|\.$/, "", title)
		if (title ~ /^[A-Z][a-z]/)
			title = tolower(substr(title, 1, 1)) substr(title, 2)
		print ".SH NAME\n" page " \\- " prose(title)
		print ".SH SYNOPSIS\n.B #include <" header ">\n.SH DESCRIPTION"
		print_comment(comment, comment_count)
		comment_count = 0
	} else {
		sub(/^ \*( |$)?/, "")
		comment[++comment_count] = $0
	}
	next
}
!described { next }

/^\/\/ ---- / {
	flush()
	is_hidden = /private/
	sub(/^\/\/ ---- /, "")
	sub(/ *-*$/, "")
	if (!is_hidden)
		print ".SH " toupper($0)
	in_section = 1
	next
}
is_hidden { next }

# Comments.
/^\/\*$/ && !in_declaration {
	flush()
	inside = 1
	next
}
inside {
	if (/^ \*\/$/)
		inside = 0
	else {
		sub(/^ \*( |$)?/, "")
		comment[++comment_count] = $0
	}
	next
}
/^\/\// && !in_declaration {
	if (declaration_count > 0 || had_declaration)
		flush()
	sub(/^\/\/ ?/, "")
	comment[++comment_count] = $0
	next
}

/^$/ && !in_declaration {
	flush()
	next
}

# Macros: the name and its arguments, or what it stands for if that is no secret; and of a list,
# what it lists.
/^#define / || goes_on {
	is_first = !goes_on
	goes_on = /\\$/
	sub(/[ \t]*\\$/, "")
	if (is_first) {
		had_declaration = 1
		macro = substr($0, 9)
		if (match(macro, /^[A-Za-z0-9_]+\([^)]*\)/))
			macro = substr(macro, 1, RLENGTH)
		else if (macro ~ /_\(/)
			sub(/[ \t].*/, "", macro)
		if (macro !~ /^(TUZA_|tuza_|go\()/ || macro ~ /^[A-Za-z0-9_]*(_([ (]|$)|_H$)/)
			macro = ""
	} else if (macro != "" && /^\tX\(/)
		macro = macro "\n" $0
	if (!goes_on && macro != "")
		add_declaration(macro, 1)
	next
}
/^#/ { next }

# Anything else: until its semicolon, or the end of its braces.
{
	had_declaration = in_declaration = 1
	if (body) {
		if (/^}/)
			body = in_declaration = 0
		next
	}
	if ($0 == "{") { # of an inline function
		add_declaration(whole ";")
		whole = ""
		body = 1
		next
	}
	whole = whole == "" ? $0 : whole "\n" $0
	line = $0
	sub(/[ \t]*\/\/.*/, "", line)
	braces += gsub(/{/, "{", line) - gsub(/}/, "}", line)
	if (braces == 0 && line ~ /[;}]$/) {
		add_declaration(whole)
		whole = ""
		in_declaration = 0
	}
}

END {
	flush()
	print ".SH SEE ALSO\n.BR tuza (3)"
}
