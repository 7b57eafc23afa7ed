// SPDX-License-Identifier: MIT

package main

import "sync"

var treeWorkloads = []workload{
	{name: "skynet", operation: "a tree of goroutines with 1M leaves, 10 children a node",
		run: skynetRuns},
	{name: "fib-32", operation: "fib(32), a goroutine for one of the two branches of each node",
		run: fibRuns},
}

func skynet(out chan int, number, leaves int) {
	if leaves == 1 {
		out <- number
		return
	}
	in := make(chan int)
	sum := 0
	for i := 0; i < 10; i++ {
		go skynet(in, number+i*(leaves/10), leaves/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-in
	}
	out <- sum
}

func skynetRuns(n int) int {
	leaves := 10
	for leaves*10 <= scaled(1_000_000, 10) {
		leaves *= 10
	}
	for i := 0; i < n; i++ {
		out := make(chan int)
		go skynet(out, 0, leaves)
		sum := <-out
		check(sum == leaves*(leaves-1)/2, "the sum of %d leaves is %d", leaves, sum)
	}
	return n
}

func fibChild(n int, result *int, wg *sync.WaitGroup) {
	*result = fib(n)
	wg.Done()
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	var a int
	var wg sync.WaitGroup
	wg.Add(1)
	go fibChild(n-1, &a, &wg)
	b := fib(n - 2)
	wg.Wait()
	return a + b
}

// fibLoop is fib by addition, to check it.
func fibLoop(n int) int {
	a, b := 0, 1
	for i := 0; i < n; i++ {
		a, b = b, a+b
	}
	return a
}

// fibRuns computes fib(32); at a smaller scale the largest with as small a share of its goroutines.
func fibRuns(n int) int {
	of := 10
	for of < 32 && fibLoop(of+1) <= scaled(fibLoop(32), 0) {
		of++
	}
	for i := 0; i < n; i++ {
		result := fib(of)
		check(result == fibLoop(of), "fib(%d) is not %d", of, result)
	}
	return n
}
