// SPDX-License-Identifier: MIT

package main

var sieveWorkloads = []workload{
	{name: "sieve-2000", operation: "2,000 primes through a chain of filters, unbuffered",
		run: sieveRuns},
}

// nthPrime finds it by trial division, to check the sieve.
func nthPrime(n int) int {
	v := 1
	for n > 0 {
		v++
		d := 2
		for d*d <= v && v%d != 0 {
			d++
		}
		if d*d > v {
			n--
		}
	}
	return v
}

func generate(out chan int, last int) {
	for v := 2; v <= last; v++ {
		out <- v
	}
	close(out)
}

func filter(in, out chan int, prime int) {
	for v := range in {
		if v%prime != 0 {
			out <- v
		}
	}
	close(out)
}

// sieveRuns feeds the chain up to the last prime wanted, then closes it: every goroutine ends.
func sieveRuns(n int) int {
	primes := scaled(2000, 20)
	last := nthPrime(primes)
	for i := 0; i < n; i++ {
		c := make(chan int)
		found, largest := 0, 0
		go generate(c, last)
		for {
			prime, open := <-c
			if !open {
				break
			}
			found++
			largest = prime
			next := make(chan int)
			go filter(c, next, prime)
			c = next
		}
		check(found == primes && largest == last, "%d primes up to %d", found, largest)
	}
	return n
}
