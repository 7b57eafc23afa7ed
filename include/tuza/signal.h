// SPDX-License-Identifier: MIT
/*
 * Signals as values in a channel, after Go's os/signal.
 *
 *	tuza_chan *signals = tuza_chan_new(sizeof(int), 1);
 *	tuza_signal_notify(signals, SIGINT, SIGTERM);
 *	int sig;
 *	tuza_recv(signals, &sig);               // until somebody wants the program to end
 *	tuza_signal_stop(signals);
 *	tuza_chan_release(signals);
 *
 * Nothing of this is done before the first call; until then signals do what the program and its
 * environment made them do. SIGKILL and SIGSTOP cannot be asked for, nor SIGSEGV, SIGBUS and
 * SIGFPE, which are the runtime's (tuza/panic.h), nor those that the C library keeps for itself:
 * to name them does nothing. SIGQUIT shows all goroutines unless a channel asks for it.
 *
 * A signal that all threads of the program block does not arrive. While the program waits for
 * signals it is not deadlocked. What arrives when no runtime runs is sent when one does.
 *
 * All functions may be called from any goroutine or thread, at the same time, but not from a signal
 * handler. None blocks. In all of them `sig, …` are signal numbers, 1 to 64; a single 0 stands for
 * all signals: but, except for reset, SIGPROF and SIGURG, by which CPU profiles and dumps look at
 * threads. Whoever asks for those by name has them, and the two have to do without. Panics of all:
 * "tuza: no such signal: 65".
 */
#ifndef TUZA_SIGNAL_H
#define TUZA_SIGNAL_H

#include <tuza/chan.h>
#include <tuza/context.h>
#include <tuza/error.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Sends each of the signals that arrives from now on to `c`, beside what it asked for before, as an
 * int. The signals do nothing else any more. A value for which the channel has no room is dropped:
 * give it room for as many as must not be lost, 1 if all are alike. A signal that arrives again
 * before it was sent is sent once, real-time signals, too: values tell that, not how often. Any
 * number of channels may ask for the same signal; each gets it.
 *
 *   c  of elements of sizeof(int); kept until tuza_signal_stop. One that is closed gets nothing.
 *
 * Panics   "os/signal: Notify using nil channel"; "tuza: signals need a channel of int"; "tuza: out
 *          of memory"; "tuza: signals cannot be had: …" where a filter of system calls forbids it.
 *          `c` gets what it got before then.
 * Go       signal.Notify   (D8)
 */
#define tuza_signal_notify(c, ...) tuza_signal_notify_((c), __VA_ARGS__, 0)
void tuza_signal_notify_(tuza_chan *c, int sig, ...);

/*
 * Sends no more signals to `c`. What has arrived before is in the channel when it returns, as far
 * as there is room; what nobody asks for any more does again what it did before the first notify.
 * Does nothing for a channel that asked for none.
 *
 * Go       signal.Stop
 */
void tuza_signal_stop(tuza_chan *c);

/*
 * Has the signals ignored, and sent to nobody: undone by reset, or by a notify.
 *
 * Go       signal.Ignore
 */
#define tuza_signal_ignore(...) tuza_signal_ignore_(__VA_ARGS__, 0)
void tuza_signal_ignore_(int sig, ...);

/*
 * Undoes ignore and, for all channels, notify: the signals do what they did before.
 *
 * Go       signal.Reset
 */
#define tuza_signal_reset(...) tuza_signal_reset_(__VA_ARGS__, 0)
void tuza_signal_reset_(int sig, ...);

/*
 * A context that ends with its parent, by tuza_context_cancel, or with -ECANCELED when one of the
 * signals arrives; then its cause is TUZA_ESIGNAL(sig). When it has ended, whichever way, the
 * signals do again what they did before: before the end can be seen, if a signal was it, else soon
 * after. Costs a goroutine, until then.
 *
 * Returns  a context that the caller owns; never NULL.
 * Panics   "cannot create context from nil parent"; as tuza_signal_notify without memory, or if
 *          it is forbidden.
 * Owns/frees  tuza_context_free.
 * Go       signal.NotifyContext   (D8)
 */
#define tuza_context_notify_signal(parent, ...)                                                    \
	tuza_context_notify_signal_((parent), __VA_ARGS__, 0)
TUZA_MUST_USE tuza_context *tuza_context_notify_signal_(tuza_context *parent, int sig, ...)
	TUZA_FREED_BY_(tuza_context_free);

/*
 * Returns  whether the signal is ignored.
 * Go       signal.Ignored
 */
bool tuza_signal_ignored(int sig);

#ifdef __cplusplus
}
#endif
#endif
