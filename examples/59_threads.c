// SPDX-License-Identifier: MIT
/*
 * Plain threads and goroutines in one program: a thread may start goroutines and use channels; it
 * blocks where a goroutine would park. The runtime starts by itself: no tuza_run here.
 */
#include <pthread.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static tuza_chan *questions, *answers;

static void goroutine(void)
{
	for (int q; tuza_recv(questions, &q);)
		tuza_send(answers, q * q);
}

static void *thread(void *arg)
{
	for (int q = 1; q <= 3; q++)
		tuza_send(questions, q); // blocks this thread until somebody takes it
	return arg;
}

int main(void)
{
	pthread_t asking;
	int answer, sum = 0;

	questions = tuza_chan_new(sizeof(int), 0);
	answers = tuza_chan_new(sizeof(int), 0);
	for (int i = 0; i < 2; i++)
		go(goroutine);
	if (pthread_create(&asking, NULL, thread, NULL) != 0)
		return 1;
	for (int i = 0; i < 3; i++) {
		tuza_recv(answers, &answer);
		sum += answer;
	}
	printf("1 + 4 + 9 = %d\n", sum);
	pthread_join(asking, NULL);

	tuza_chan_close(questions);  // the goroutines end …
	while (tuza_shutdown() != 0) // … and when they have, the runtime gives its memory back
		tuza_sleep(TUZA_MILLISECOND);
	tuza_chan_release(questions);
	tuza_chan_release(answers);
	return 0;
}

/* Output:
1 + 4 + 9 = 14
 */
