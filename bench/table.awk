# SPDX-License-Identifier: MIT
#
# The table of bench/run.sh. Each line read is one run:
#
#	<workload> <procs> <side> <ns per operation> [key=value …] ok
#	<workload> <procs> <side> wrong

{
	row = $1 " " $2
	if (!(row in known)) {
		known[row] = 1
		order[++rows] = row
	}
	if ($4 == "wrong") {
		wrong[row, $3] = 1
		next
	}
	run = ++runs[row, $3]
	value[row, $3, "ns", run] = $4
	for (i = 5; i < NF; i++) {
		split($i, pair, "=")
		value[row, $3, pair[1], run] = pair[2]
		if (!((row, pair[1]) in has)) {
			has[row, pair[1]] = 1
			keys[row] = keys[row] " " pair[1]
		}
	}
}

# Sorts the runs of one figure into sorted[1..n].
function sort_runs(row, side, key, n,    i, j, v) {
	for (i = 1; i <= n; i++) {
		v = value[row, side, key, i] + 0
		for (j = i - 1; j >= 1 && sorted[j] > v; j--)
			sorted[j + 1] = sorted[j]
		sorted[j + 1] = v
	}
}

function median(row, side, key,    n) {
	n = runs[row, side]
	sort_runs(row, side, key, n)
	return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

# How far the runs of one side lie apart, in percent of their median.
function spread(row, side,    n, m) {
	n = runs[row, side]
	m = median(row, side, "ns")
	return m > 0 ? 100 * (sorted[n] - sorted[1]) / m : 0
}

# Three digits.
function short(x) {
	if (x >= 100 || x == int(x))
		return sprintf("%.0f", x)
	return sprintf(x >= 10 ? "%.1f" : "%.2f", x)
}

function duration(ns) {
	if (ns >= 1e9)
		return short(ns / 1e9) " s"
	if (ns >= 1e6)
		return short(ns / 1e6) " ms"
	if (ns >= 1e3)
		return short(ns / 1e3) " µs"
	return short(ns) " ns"
}

function cell(row, side) {
	if (wrong[row, side])
		return "**wrong**"
	return runs[row, side] ? duration(median(row, side, "ns")) : "–"
}

# One figure of both sides: tuza's, then Go's.
function both(row, key,    text) {
	text = runs[row, "tuza"] ? short(median(row, "tuza", key)) : "–"
	if (measured_go)
		text = text " / " (runs[row, "go"] ? short(median(row, "go", key)) : "–")
	return text
}

END {
	for (r = 1; r <= rows; r++)
		if (runs[order[r], "go"] || wrong[order[r], "go"])
			measured_go = 1
	print "| workload | procs | tuza | Go | Go ÷ tuza | spread % | CPU % | note (tuza / Go) |"
	print "|---|---|---|---|---|---|---|---|"
	for (r = 1; r <= rows; r++) {
		row = order[r]
		split(row, part, " ")
		good = runs[row, "tuza"] && runs[row, "go"] && !wrong[row, "tuza"] && !wrong[row, "go"]
		ratio = "–"
		if (good && median(row, "tuza", "ns") > 0)
			ratio = sprintf("%.2f", median(row, "go", "ns") / median(row, "tuza", "ns"))
		apart = runs[row, "tuza"] ? sprintf("%.0f", spread(row, "tuza")) : "–"
		if (measured_go)
			apart = apart " / " (runs[row, "go"] ? sprintf("%.0f", spread(row, "go")) : "–")
		notes = ""
		n = split(keys[row], key, " ")
		for (k = 1; k <= n; k++)
			if (key[k] != "n" && key[k] != "cpu")
				notes = notes (notes == "" ? "" : "; ") key[k] " " both(row, key[k])
		gsub(/_/, " ", notes)
		printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", part[1], part[2], cell(row, "tuza"),
			cell(row, "go"), ratio, apart, (row, "cpu") in has ? both(row, "cpu") : "–", notes
	}
}
