// SPDX-License-Identifier: MIT

package main

import "sync"

const bufferSize = 128

var chanWorkloads = []workload{
	{name: "ping-pong", operation: "a round trip over two unbuffered channels", run: pingPong},
	{name: "buffered-1-1", operation: "an item through a buffer of 128, 1 sender, 1 receiver",
		run: func(n int) int { return buffered(1, n) }},
	{name: "buffered-4-4", operation: "an item through a buffer of 128, 4 senders, 4 receivers",
		run: func(n int) int { return buffered(4, n) }},
}

func echo(ping, pong chan int) {
	for v := range ping {
		pong <- v + 1
	}
	close(pong)
}

func pingPong(n int) int {
	ping, pong := make(chan int), make(chan int)
	wrong := 0
	go echo(ping, pong)
	for i := 0; i < n; i++ {
		ping <- i
		v := <-pong
		wrong |= v ^ (i + 1)
	}
	close(ping)
	_, open := <-pong
	check(wrong == 0 && !open, "an echo is wrong")
	return n
}

func sendRange(c chan int, from, to int, senders *sync.WaitGroup) {
	for i := from; i < to; i++ {
		c <- i
	}
	senders.Done()
}

func sumAll(c chan int, sum *int, receivers *sync.WaitGroup) {
	total := 0
	for v := range c {
		total += v
	}
	*sum = total
	receivers.Done()
}

// buffered has `pairs` senders and as many receivers share one channel.
func buffered(pairs, n int) int {
	each := (n + pairs - 1) / pairs
	items := each * pairs
	c := make(chan int, bufferSize)
	sums := make([]int, pairs)
	var senders, receivers sync.WaitGroup
	senders.Add(pairs)
	receivers.Add(pairs)
	for i := 0; i < pairs; i++ {
		go sendRange(c, i*each, (i+1)*each, &senders)
		go sumAll(c, &sums[i], &receivers)
	}
	senders.Wait()
	close(c)
	receivers.Wait()
	total := 0
	for i := 0; i < pairs; i++ {
		total += sums[i]
	}
	check(total == items*(items-1)/2, "the sum of %d items is %d", items, total)
	return items
}
