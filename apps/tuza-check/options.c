// SPDX-License-Identifier: MIT
// The command line.
#include "tuza-check.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char HELP[] =
	"Usage: tuza-check [OPTION...] [URL...]\n"
	"Checks URLs from the arguments, from files, or from standard input (\"-f -\"), one per "
	"line.\n"
	"Without any it serves a small site of its own on loopback and checks that.\n"
	"\n"
	"  -f, --file FILE        reads URLs from FILE, \"-\": standard input; may be repeated\n"
	"  -c, --concurrency N    requests at a time (64)\n"
	"      --per-host N       requests at a time to one host (8)\n"
	"  -t, --timeout TIME     of a request, such as 500ms, 10s, 2m (10s)\n"
	"  -d, --deadline TIME    of everything (none)\n"
	"  -r, --retries N        of a transient failure (2)\n"
	"      --rate N           requests a second, retries included (no limit)\n"
	"      --head             sends HEAD requests: no bodies\n"
	"  -H, --header LINE      sends this header, \"Name: value\"; may be repeated\n"
	"      --user-agent TEXT\n"
	"      --ca-file FILE     trusts the certificates in FILE (PEM), not the system's\n"
	"      --insecure         accepts any certificate\n"
	"      --http1            no HTTP/2\n"
	"      --format FORMAT    table, jsonl or csv (table)\n"
	"  -o, --output FILE      writes results to FILE\n"
	"      --resume FILE      skips URLs that are in FILE, adds those checked\n"
	"  -q, --quiet            no progress and no summary\n"
	"      --serve            only serves the site: prints its URLs and waits for Ctrl-C\n"
	"  -h, --help             this text\n"
	"      --version\n"
	"\n"
	"Status: 0 all fine; 1 some failed or were not checked; 2 wrong usage; 130 interrupted.\n";

enum {
	OPTION_PER_HOST = 256,
	OPTION_RATE,
	OPTION_HEAD,
	OPTION_USER_AGENT,
	OPTION_CA_FILE,
	OPTION_INSECURE,
	OPTION_HTTP1,
	OPTION_FORMAT,
	OPTION_RESUME,
	OPTION_SERVE,
	OPTION_VERSION,
};

static const struct option LONG[] = {
	{"file", required_argument, NULL, 'f'},
	{"concurrency", required_argument, NULL, 'c'},
	{"per-host", required_argument, NULL, OPTION_PER_HOST},
	{"timeout", required_argument, NULL, 't'},
	{"deadline", required_argument, NULL, 'd'},
	{"retries", required_argument, NULL, 'r'},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"head", no_argument, NULL, OPTION_HEAD},
	{"header", required_argument, NULL, 'H'},
	{"user-agent", required_argument, NULL, OPTION_USER_AGENT},
	{"ca-file", required_argument, NULL, OPTION_CA_FILE},
	{"insecure", no_argument, NULL, OPTION_INSECURE},
	{"http1", no_argument, NULL, OPTION_HTTP1},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"output", required_argument, NULL, 'o'},
	{"resume", required_argument, NULL, OPTION_RESUME},
	{"quiet", no_argument, NULL, 'q'},
	{"serve", no_argument, NULL, OPTION_SERVE},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

static bool complain(const char *what, const char *text)
{
	fprintf(stderr, "tuza-check: %s: %s (see tuza-check --help)\n", what, text);
	return false;
}

static bool parse_int(const char *what, const char *text, int least, int most, int *n)
{
	char *end;
	long value = strtol(text, &end, 10);
	if (*end || end == text || value < least || value > most) {
		char words[64];
		snprintf(words, sizeof words, "%s: not a number from %d to %d", what, least, most);
		return complain(words, text);
	}
	*n = (int)value;
	return true;
}

static bool parse_rate(const char *text, double *rate)
{
	char *end;
	*rate = strtod(text, &end);
	return (!*end && end != text && *rate > 0 && *rate <= 1e9) ||
	       complain("--rate: not a number above 0", text);
}

// "500ms", "1.5s", "2m", "1h"; a number alone is seconds.
static bool parse_duration(const char *text, tuza_duration *d)
{
	static const struct {
		const char *name;
		double unit;
	} UNITS[] = {{"", 1e9}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
	char *end;
	double value = strtod(text, &end);
	for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
		if (end == text || strcmp(end, UNITS[i].name) != 0)
			continue;
		if (!(value * UNITS[i].unit >= 1 && value * UNITS[i].unit < 1e18))
			break;
		*d = (tuza_duration)(value * UNITS[i].unit);
		return true;
	}
	return complain("not a time as 500ms, 10s, 2m or 1h", text);
}

static bool parse_format(const char *text, enum format *format)
{
	static const char *const NAMES[] = {"table", "jsonl", "csv"};
	for (int i = 0; i < 3; i++) {
		if (strcmp(text, NAMES[i]) == 0) {
			*format = (enum format)i;
			return true;
		}
	}
	return complain("--format: not table, jsonl or csv", text);
}

// Adds to a list that has room for all arguments.
static bool add(const char *const *list, const char *text)
{
	const char **at = (const char **)(uintptr_t)list;
	while (*at)
		at++;
	*at = text;
	return true;
}

static bool has_controls(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 127)
			return true;
	return false;
}

// The client refuses what is no header, for each URL anew.
static bool is_header(const char *line)
{
	size_t name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789-_!#$%&'*+.^`|~");
	return name > 0 && line[name] == ':' && !has_controls(line);
}

static bool take(struct options *o, int option, const char *text)
{
	switch (option) {
	case 'f':
		return add(o->files, text);
	case 'H':
		return is_header(text) ? add(o->headers, text)
				       : complain("--header: not \"Name: value\"", text);
	case 'c':
		return parse_int("--concurrency", text, 1, 100000, &o->concurrency);
	case OPTION_PER_HOST:
		return parse_int("--per-host", text, 1, 100000, &o->per_host);
	case 'r':
		return parse_int("--retries", text, 0, 100, &o->retries);
	case 't':
		return parse_duration(text, &o->timeout);
	case 'd':
		return parse_duration(text, &o->deadline);
	case OPTION_RATE:
		return parse_rate(text, &o->rate);
	case OPTION_FORMAT:
		return parse_format(text, &o->format);
	case 'o':
		return (o->output = text) != NULL;
	case OPTION_RESUME:
		return (o->resume = text) != NULL;
	case OPTION_CA_FILE:
		return (o->ca_file = text) != NULL;
	case OPTION_USER_AGENT:
		return !has_controls(o->user_agent = text) ||
		       complain("--user-agent: more than text", text);
	case OPTION_HEAD:
		return o->head = true;
	case OPTION_INSECURE:
		return o->insecure = true;
	case OPTION_SERVE:
		return o->serve = true;
	case OPTION_HTTP1:
		return o->http1 = true;
	case 'q':
		return o->quiet = true;
	default:
		return false; // getopt has complained
	}
}

static const char *const *empty_list(int room)
{
	const char **list = calloc((size_t)room + 1, sizeof *list);
	if (!list)
		abort();
	return list;
}

static bool names_encoding(const char *const *headers)
{
	for (; *headers; headers++)
		if (strncasecmp(*headers, "Accept-Encoding:", 16) == 0)
			return true;
	return false;
}

bool options_parse(int argc, char **argv, struct options *o, int *status)
{
	int option;
	*o = (struct options){.concurrency = 64,
		.per_host = 8,
		.retries = -1,
		.urls = empty_list(argc),
		.files = empty_list(argc),
		.headers = empty_list(argc)};
	*status = EXIT_USAGE;
	while ((option = getopt_long(argc, argv, "f:c:t:d:r:H:o:qh", LONG, NULL)) >= 0) {
		if (option == 'h' || option == OPTION_VERSION) {
			if (option == 'h')
				fputs(HELP, stdout);
			else
				printf("tuza-check %d.%d.%d\n", TUZA_VERSION_MAJOR,
					TUZA_VERSION_MINOR, TUZA_VERSION_PATCH);
			*status = fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
			return false;
		}
		if (!take(o, option, optarg))
			return false;
	}
	if (!names_encoding(o->headers))
		(void)add(o->headers, "Accept-Encoding: gzip, deflate, br, zstd");
	for (int i = optind; i < argc; i++)
		(void)add(o->urls, argv[i]);
	return true;
}

void options_free(struct options *o)
{
	free((void *)(uintptr_t)o->urls);
	free((void *)(uintptr_t)o->files);
	free((void *)(uintptr_t)o->headers);
}
