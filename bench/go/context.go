// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"time"
)

const treeSize = 10000

var contextWorkloads = []workload{
	{name: "context-tree", operation: "one of 10,000 below a parent: made, cancelled with it, freed",
		run: contextTree, memory: true},
	{name: "context-chain", operation: "one of 10,000, each below the one before: the same",
		run: contextChain, memory: true},
	{name: "context-timeout", operation: "a context of an hour made and freed",
		run: contextTimeout, memory: true},
	{name: "context-select", operation: "a send into a buffer, and a select over it and a context",
		run: contextSelect},
}

// Makes trees of treeSize below one parent each, or each below the one before, and cancels them.
func makeTrees(n int, chain bool) int {
	done, ended := 0, 0
	all := make([]context.Context, treeSize)
	cancels := make([]context.CancelFunc, treeSize)
	for ; done < n; done += treeSize {
		root, cancel := context.WithCancel(context.Background())
		for i := range all {
			parent := root
			if chain && i > 0 {
				parent = all[i-1]
			}
			all[i], cancels[i] = context.WithCancel(parent)
		}
		cancel()
		for i := range all {
			if all[i].Err() == context.Canceled {
				ended++
			}
			cancels[i]()
		}
	}
	check(ended == done, "%d of %d contexts had ended", ended, done)
	return done
}

func contextTree(n int) int  { return makeTrees(n, false) }
func contextChain(n int) int { return makeTrees(n, true) }

func contextTimeout(n int) int {
	ended := 0
	for i := 0; i < n; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		if ctx.Err() != nil {
			ended++
		}
		cancel()
	}
	check(ended == 0, "%d contexts of an hour had ended", ended)
	return n
}

func contextSelect(n int) int {
	wrong, value := 0, 1
	ctx, cancel := context.WithCancel(context.Background())
	c := make(chan int, 1)
	for i := 0; i < n; i++ {
		c <- value
		select {
		case value = <-c:
		case <-ctx.Done():
			wrong++
		}
	}
	cancel()
	check(wrong == 0, "%d selects took the context's case", wrong)
	return n
}
