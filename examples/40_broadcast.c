// SPDX-License-Identifier: MIT
/*
 * Broadcast: whoever subscribes gets what is sent from then on; what happens to a slow one is its
 * own choice.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static void show(const char *name, tuza_subscription *s)
{
	int v;

	printf("%s got", name);
	while (tuza_recv(tuza_subscription_chan(s), &v))
		printf(" %d", v);
	printf(" and missed %d\n", (int)tuza_subscription_missed(s));
}

static int program(void *arg)
{
	tuza_context *ctx = tuza_context_background();
	tuza_broadcast *prices = tuza_broadcast_new(sizeof(int));
	tuza_subscription *ledger = tuza_subscribe(prices, 8, TUZA_SLOW_WAIT);
	tuza_subscription *first = tuza_subscribe(prices, 2, TUZA_SLOW_SKIP);
	tuza_subscription *latest = tuza_subscribe(prices, 2, TUZA_SLOW_DROP_OLDEST);

	(void)arg;
	TUZA_DEFER(tuza_unsubscribe, ledger);
	TUZA_DEFER(tuza_unsubscribe, first);
	TUZA_DEFER(tuza_unsubscribe, latest);
	for (int price = 101; price <= 106; price++)
		if (tuza_broadcast_send(prices, ctx, &price) != 0)
			break;
	tuza_broadcast_free(prices); // closes the channels; what is in them can be received
	show("ledger", ledger);
	show("first", first);
	show("latest", latest);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
ledger got 101 102 103 104 105 106 and missed 0
first got 101 102 and missed 4
latest got 105 106 and missed 4
 */
