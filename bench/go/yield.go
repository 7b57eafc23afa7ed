// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
)

var yieldWorkloads = []workload{
	{name: "yield-2", operation: "a yield, between 2 goroutines",
		run: func(n int) int { return yieldAmong(2, n) }},
	{name: "yield-1000", operation: "a yield, among 1,000 goroutines",
		run: func(n int) int { return yieldAmong(1000, n) }},
}

func yielder(wg *sync.WaitGroup, times int, yielded *int) {
	for i := 0; i < times; i++ {
		runtime.Gosched()
		*yielded++
	}
	wg.Done()
}

func yieldAmong(goroutines, n int) int {
	times := (n + goroutines - 1) / goroutines
	yielded := make([]int, goroutines)
	var wg sync.WaitGroup
	wg.Add(goroutines)
	for i := 0; i < goroutines; i++ {
		go yielder(&wg, times, &yielded[i])
	}
	wg.Wait()
	for i := 0; i < goroutines; i++ {
		check(yielded[i] == times, "goroutine %d yielded %d times, not %d", i, yielded[i], times)
	}
	return times * goroutines
}
