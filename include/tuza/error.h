// SPDX-License-Identifier: MIT
/*
 * Error codes: how tuza reports failures of the world. A function returns 0 or a count, else a
 * negative code: a negated errno value (-ECANCELED, -ENOMEM …, whose names are in <errno.h>) or one
 * of tuza's own below, which lie beyond the range of errno. errno itself is never set. Misuse by
 * the program panics instead.
 */
#ifndef TUZA_ERROR_H
#define TUZA_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * tuza's own codes: TUZA_ERRORS(X) expands X(name, value, text) for each.
 */
#define TUZA_ERRORS(X)                                                                             \
	X(TUZA_ECLOSED, -10001, "channel closed")                                                  \
	X(TUZA_EPANIC, -10002, "goroutine panicked")                                               \
	X(TUZA_EOF, -10003, "EOF")                                                                 \
	X(TUZA_EIOTIMEOUT, -10004, "i/o timeout")                                                  \
	X(TUZA_ECONNTIMEOUT, -10005, "connection timed out")                                       \
	X(TUZA_EFDCLOSED, -10006, "use of closed file")                                            \
	X(TUZA_ECONNCLOSED, -10007, "use of closed network connection")                            \
	X(TUZA_EPIPECLOSED, -10008, "io: read/write on closed pipe")                               \
	X(TUZA_ENOHOST, -10009, "no such host")                                                    \
	X(TUZA_ERESOLVER, -10010, "server misbehaving")                                            \
	X(TUZA_ENOSERVICE, -10011, "unknown port")                                                 \
	X(TUZA_EADDRESS, -10012, "invalid address")                                                \
	X(TUZA_ENETWORK, -10013, "unknown network")                                                \
	X(TUZA_EWAITDELAY, -10020, "exec: WaitDelay expired before I/O complete")                  \
	X(TUZA_EBURST, -10030, "rate: Wait exceeds limiter's burst")                               \
	X(TUZA_EDEADLINE, -10031, "rate: Wait would exceed context deadline")                      \
	X(TUZA_EURL, -10050, "invalid URL")                                                        \
	X(TUZA_EREDIRECTS, -10051, "too many redirects")                                           \
	X(TUZA_ETLS, -10052, "TLS handshake failed")                                               \
	X(TUZA_ECERTIFICATE, -10053, "certificate cannot be verified")                             \
	X(TUZA_EHTTP, -10054, "malformed HTTP response")                                           \
	X(TUZA_EUNEXPECTEDEOF, -10055, "unexpected EOF")                                           \
	X(TUZA_EBODYLIMIT, -10056, "body is too large")

enum tuza_error {
#define TUZA_ERROR_ENUM_(name, value, text) name = value,
	TUZA_ERRORS(TUZA_ERROR_ENUM_)
#undef TUZA_ERROR_ENUM_
};

// The code of a signal, as the cause of a context's end, or of a process that it has ended:
// TUZA_ESIGNAL(SIGINT).
#define TUZA_ESIGNAL(sig) (-10100 - (sig))

// The code of a process that has ended with a status from 1 to 255: TUZA_EEXIT(1).
#define TUZA_EEXIT(status) (-10200 - (status))

/*
 * The text of a code: "context canceled" for -ECANCELED, "context deadline exceeded" for
 * -ETIMEDOUT, tuza's own words for its own codes, the C library's for other negated errno values
 * and for signals ("Interrupt"), "exit status 1" for TUZA_EEXIT(1), "success" for 0.
 *
 *   code  any int; a positive one is read as its negative.
 *
 * Returns  a string that is never freed nor changed; "unknown error" for an unknown code.
 * Go       Error()
 */
const char *tuza_strerror(int code);

/*
 * The name of a code: "ECANCELED", "TUZA_ECLOSED"; "?" if it has none. Never freed nor changed.
 */
const char *tuza_error_name(int code);

#ifdef __cplusplus
}
#endif
#endif
