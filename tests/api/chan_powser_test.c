// SPDX-License-Identifier: MIT
/*
 * Power series as streams of goroutines, after Go's test/chan/powser1.go and M. D. McIlroy's
 * "Squinting at Power Series": a series is a pair of channels, one for requests and one for
 * coefficients, and a product of two is a recursive network of goroutines. T2.6.
 *
 * Nothing is computed before it is asked for. A consumer ends a stream by closing its request
 * channel; the producer then ends its own inputs. Nobody asks a stream that has been ended.
 */
#include "../test.h"

struct rational {
	int64_t num, den; // in lowest terms, den > 0
};

struct stream {
	tuza_chan *request, *coefficient;
};

static int64_t gcd(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

static struct rational rational(int64_t num, int64_t den)
{
	int64_t common = gcd(num, den);
	return (struct rational){num / common, den / common};
}

static struct rational add(struct rational a, struct rational b)
{
	int64_t common = gcd(a.den, b.den);
	return rational(
		a.num * (b.den / common) + b.num * (a.den / common), a.den / common * b.den);
}

static struct rational multiply(struct rational a, struct rational b)
{
	struct rational x = rational(a.num, b.den), y = rational(b.num, a.den);
	return (struct rational){x.num * y.num, x.den * y.den};
}

// ---- streams ----------------------------------------------------------------------------------

// Two references each: the consumer's, given back by stream_end, and the producer's, by
// stream_asked.
static struct stream stream_new(void)
{
	struct stream s = {tuza_chan_new(0, 0), tuza_chan_new(sizeof(struct rational), 0)};

	tuza_chan_retain(s.request);
	tuza_chan_retain(s.coefficient);
	return s;
}

static void stream_release(struct stream s)
{
	tuza_chan_release(s.request);
	tuza_chan_release(s.coefficient);
}

static struct rational get(struct stream s)
{
	struct rational r = {0, 1};

	tuza_chan_send(s.request, NULL);
	CHECK(tuza_recv(s.coefficient, &r));
	return r;
}

static void put(struct stream s, struct rational r) { tuza_send(s.coefficient, r); }

static void stream_end(struct stream s)
{
	tuza_chan_close(s.request);
	stream_release(s);
}

// Whether one more coefficient is wanted; if not, the producer's references are gone.
static bool stream_asked(struct stream s)
{
	if (tuza_chan_recv(s.request, NULL))
		return true;
	stream_release(s);
	return false;
}

// ---- producers ----------------------------------------------------------------------------------

// a + b x
static void run_linear(struct stream out, struct rational a, struct rational b)
{
	for (int n = 0; stream_asked(out); n++)
		put(out, n == 0 ? a : n == 1 ? b : rational(0, 1));
}

static void run_ones(struct stream out)
{
	while (stream_asked(out))
		put(out, rational(1, 1));
}

static void run_scaled(struct stream out, struct rational factor, struct stream in)
{
	while (stream_asked(out))
		put(out, multiply(factor, get(in)));
	stream_end(in);
}

// first + x * in
static void run_shifted(struct stream out, struct rational first, struct stream in)
{
	for (int n = 0; stream_asked(out); n++)
		put(out, n == 0 ? first : get(in));
	stream_end(in);
}

static void run_derivative(struct stream out, struct stream in)
{
	get(in);
	for (int n = 1; stream_asked(out); n++)
		put(out, multiply(rational(n, 1), get(in)));
	stream_end(in);
}

// first + the integral of in
static void run_integral(struct stream out, struct rational first, struct stream in)
{
	for (int n = 0; stream_asked(out); n++)
		put(out, n == 0 ? first : multiply(rational(1, n), get(in)));
	stream_end(in);
}

// One series for two consumers at their own pace; ends with the first. It serves one with what is
// known already while it waits for what the other wants: a series may depend on itself.
static void run_split(struct stream in, struct stream first, struct stream second)
{
	struct rational known[64];
	struct stream outs[2] = {first, second};
	bool ended[2] = {false, false}, waits[2] = {false, false}, asked = false;
	int at[2] = {0, 0}, n = 0;

	while (!ended[0]) {
		bool ok = true;
		int i = TUZA_SELECT(
			TUZA_RECV_OK(ended[0] || waits[0] ? NULL : first.request, NULL, &ok),
			TUZA_RECV_OK(ended[1] || waits[1] ? NULL : second.request, NULL, &ok),
			TUZA_RECV(asked ? in.coefficient : NULL, &known[n]));
		if (i == 2) {
			n++;
			asked = false;
		} else if (ok) {
			waits[i] = true;
		} else {
			ended[i] = true;
		}
		for (i = 0; i < 2; i++) {
			if (waits[i] && at[i] < n) {
				waits[i] = false;
				put(outs[i], known[at[i]++]);
			} else if (waits[i] && !asked) {
				asked = true;
				tuza_chan_send(in.request, NULL);
			}
		}
	}
	stream_end(in);
	stream_release(first);
	stream_release(second);
}

static struct stream scaled(struct rational factor, struct stream in)
{
	struct stream out = stream_new();
	TUZA_GO(run_scaled, out, factor, in);
	return out;
}

static struct stream shifted(struct rational first, struct stream in)
{
	struct stream out = stream_new();
	TUZA_GO(run_shifted, out, first, in);
	return out;
}

static void split(struct stream in, struct stream outs[2])
{
	outs[0] = stream_new();
	outs[1] = stream_new();
	TUZA_GO(run_split, in, outs[0], outs[1]);
}

static struct stream product(struct stream f, struct stream g);

// (f + xF)(g + xG) = fg + x(fG + gF + xFG), where each tail is needed twice.
static void run_product(struct stream out, struct stream f, struct stream g)
{
	if (!stream_asked(out)) {
		stream_end(f);
		stream_end(g);
		return;
	}
	struct rational f0 = get(f), g0 = get(g);
	struct stream fs[2], gs[2];
	put(out, multiply(f0, g0));
	split(f, fs);
	split(g, gs);
	struct stream fg = scaled(f0, gs[0]), gf = scaled(g0, fs[0]);
	struct stream rest = shifted(rational(0, 1), product(fs[1], gs[1]));
	while (stream_asked(out))
		put(out, add(add(get(fg), get(gf)), get(rest)));
	stream_end(rest);
	stream_end(fg);
	stream_end(gf);
}

static struct stream product(struct stream f, struct stream g)
{
	struct stream out = stream_new();
	TUZA_GO(run_product, out, f, g);
	return out;
}

static struct stream linear(int64_t a, int64_t b)
{
	struct stream out = stream_new();
	TUZA_GO(run_linear, out, rational(a, 1), rational(b, 1));
	return out;
}

static struct stream ones(void)
{
	struct stream out = stream_new();
	TUZA_GO(run_ones, out);
	return out;
}

// E = exp(F), F without constant term: E' = E F', so E is the integral of itself times F'. It feeds
// itself.
static struct stream exponential(struct stream f)
{
	struct stream integral = stream_new(), derivative = stream_new(), both[2];

	split(integral, both);
	TUZA_GO(run_derivative, derivative, f);
	TUZA_GO(run_integral, integral, rational(1, 1), product(both[1], derivative));
	return both[0];
}

static void check_next(struct stream s, int64_t num, int64_t den)
{
	struct rational r = get(s);

	CHECK_EQ(r.num, num);
	CHECK_EQ(r.den, den);
}

// ---- tests
// ----------------------------------------------------------------------------------------

enum { TERMS = 10 };

// 1/(1-x) squared is 1 + 2x + 3x² …
TEST(product_of_ones_counts_up)
{
	struct stream s = product(ones(), ones());

	for (int n = 1; n <= TERMS; n++)
		check_next(s, n, 1);
	stream_end(s);
}

TEST(exponential_of_x_has_the_factorials)
{
	struct stream s = exponential(linear(0, 1));
	int64_t factorial = 1;

	for (int n = 0; n < TERMS; n++, factorial *= n)
		check_next(s, 1, factorial);
	stream_end(s);
}

// e^x e^-x = 1, with a hundred goroutines or so.
TEST(exponential_times_its_inverse_is_one)
{
	struct stream s = product(exponential(linear(0, 1)), exponential(linear(0, -1)));

	for (int n = 0; n < TERMS; n++)
		check_next(s, n == 0, 1);
	CHECK(tuza_num_goroutine() > 50);
	stream_end(s);
}
