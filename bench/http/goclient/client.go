// SPDX-License-Identifier: MIT

// client URL PROCESSORS CALLERS REQUESTS: as many goroutines as CALLERS share the requests; prints
// how many there were in a second. Twin of ../client.c.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

var (
	client         *http.Client
	url            string
	left, failures atomic.Int64
)

func call(wg *sync.WaitGroup) {
	for left.Add(-1) >= 0 {
		r, err := client.Get(url)
		if err != nil {
			failures.Add(1)
			continue
		}
		if r.StatusCode != 200 {
			failures.Add(1)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	wg.Done()
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		os.Exit(2)
	}
	return n
}

func main() {
	if len(os.Args) != 5 {
		os.Exit(2)
	}
	callers, requests := number(os.Args[3]), number(os.Args[4])
	var wg sync.WaitGroup
	runtime.GOMAXPROCS(number(os.Args[2]))
	url = os.Args[1]
	client = &http.Client{Transport: &http.Transport{
		MaxIdleConns: callers, MaxIdleConnsPerHost: callers}}
	for pass := 0; pass < 2; pass++ { // the first opens the connections
		if pass == 0 {
			left.Store(int64(callers) * 10)
		} else {
			left.Store(int64(requests))
		}
		start := time.Now()
		wg.Add(callers)
		for i := 0; i < callers; i++ {
			go call(&wg)
		}
		wg.Wait()
		if pass == 1 {
			fmt.Printf("%.0f\n", float64(requests)/time.Since(start).Seconds())
		}
	}
	if failures.Load() != 0 {
		os.Exit(1)
	}
}
