// SPDX-License-Identifier: MIT

package main

var selectWorkloads = []workload{
	{name: "select-ready-2", operation: "a send into a buffer and a select over 2, that one ready",
		run: func(n int) int { return selectReady(2, select2, n) }},
	{name: "select-ready-8", operation: "the same over 8",
		run: func(n int) int { return selectReady(8, select8, n) }},
	{name: "select-ready-64", operation: "the same over 64",
		run: func(n int) int { return selectReady(64, select64, n) }},
	{name: "select-block-2", operation: "a select over 2 that waits, and the send that wakes it",
		run: func(n int) int { return selectBlock(2, select2, n) }},
	{name: "select-block-8", operation: "the same over 8",
		run: func(n int) int { return selectBlock(8, select8, n) }},
	{name: "select-block-64", operation: "the same over 64",
		run: func(n int) int { return selectBlock(64, select64, n) }},
}

// A selectFunc receives from one of the channels: which one, and the value.
type selectFunc func(c []chan int) (at, v int)

func select2(c []chan int) (at, v int) {
	_ = c[1]
	select {
	case v = <-c[0]:
		return 0, v
	case v = <-c[1]:
		return 1, v
	}
}

func select8(c []chan int) (at, v int) {
	_ = c[7]
	select {
	case v = <-c[0]:
		return 0, v
	case v = <-c[1]:
		return 1, v
	case v = <-c[2]:
		return 2, v
	case v = <-c[3]:
		return 3, v
	case v = <-c[4]:
		return 4, v
	case v = <-c[5]:
		return 5, v
	case v = <-c[6]:
		return 6, v
	case v = <-c[7]:
		return 7, v
	}
}

func select64(c []chan int) (at, v int) {
	_ = c[63]
	select {
	case v = <-c[0]:
		return 0, v
	case v = <-c[1]:
		return 1, v
	case v = <-c[2]:
		return 2, v
	case v = <-c[3]:
		return 3, v
	case v = <-c[4]:
		return 4, v
	case v = <-c[5]:
		return 5, v
	case v = <-c[6]:
		return 6, v
	case v = <-c[7]:
		return 7, v
	case v = <-c[8]:
		return 8, v
	case v = <-c[9]:
		return 9, v
	case v = <-c[10]:
		return 10, v
	case v = <-c[11]:
		return 11, v
	case v = <-c[12]:
		return 12, v
	case v = <-c[13]:
		return 13, v
	case v = <-c[14]:
		return 14, v
	case v = <-c[15]:
		return 15, v
	case v = <-c[16]:
		return 16, v
	case v = <-c[17]:
		return 17, v
	case v = <-c[18]:
		return 18, v
	case v = <-c[19]:
		return 19, v
	case v = <-c[20]:
		return 20, v
	case v = <-c[21]:
		return 21, v
	case v = <-c[22]:
		return 22, v
	case v = <-c[23]:
		return 23, v
	case v = <-c[24]:
		return 24, v
	case v = <-c[25]:
		return 25, v
	case v = <-c[26]:
		return 26, v
	case v = <-c[27]:
		return 27, v
	case v = <-c[28]:
		return 28, v
	case v = <-c[29]:
		return 29, v
	case v = <-c[30]:
		return 30, v
	case v = <-c[31]:
		return 31, v
	case v = <-c[32]:
		return 32, v
	case v = <-c[33]:
		return 33, v
	case v = <-c[34]:
		return 34, v
	case v = <-c[35]:
		return 35, v
	case v = <-c[36]:
		return 36, v
	case v = <-c[37]:
		return 37, v
	case v = <-c[38]:
		return 38, v
	case v = <-c[39]:
		return 39, v
	case v = <-c[40]:
		return 40, v
	case v = <-c[41]:
		return 41, v
	case v = <-c[42]:
		return 42, v
	case v = <-c[43]:
		return 43, v
	case v = <-c[44]:
		return 44, v
	case v = <-c[45]:
		return 45, v
	case v = <-c[46]:
		return 46, v
	case v = <-c[47]:
		return 47, v
	case v = <-c[48]:
		return 48, v
	case v = <-c[49]:
		return 49, v
	case v = <-c[50]:
		return 50, v
	case v = <-c[51]:
		return 51, v
	case v = <-c[52]:
		return 52, v
	case v = <-c[53]:
		return 53, v
	case v = <-c[54]:
		return 54, v
	case v = <-c[55]:
		return 55, v
	case v = <-c[56]:
		return 56, v
	case v = <-c[57]:
		return 57, v
	case v = <-c[58]:
		return 58, v
	case v = <-c[59]:
		return 59, v
	case v = <-c[60]:
		return 60, v
	case v = <-c[61]:
		return 61, v
	case v = <-c[62]:
		return 62, v
	case v = <-c[63]:
		return 63, v
	}
}

func makeChannels(k, capacity int) []chan int {
	c := make([]chan int, k)
	for i := range c {
		c[i] = make(chan int, capacity)
	}
	return c
}

// selectReady never waits: each turn fills one of k buffers and selects over all.
func selectReady(k int, choose selectFunc, n int) int {
	c := makeChannels(k, 1)
	wrong := 0
	for i := 0; i < n; i++ {
		c[i%k] <- i
		at, v := choose(c)
		wrong |= at ^ i%k | v ^ i
	}
	check(wrong == 0, "a select took the wrong case or value")
	return n
}

// selectEcho answers each value on the channel of the same index, until it gets -1.
func selectEcho(k int, choose selectFunc, in, out []chan int, done chan struct{}) {
	for {
		at, v := choose(in)
		if v < 0 {
			break
		}
		out[at] <- v + 1
	}
	close(done)
}

// selectBlock has two goroutines that answer each other, each waiting in a select over k channels
// when the other one sends.
func selectBlock(k int, choose selectFunc, n int) int {
	rounds := (n + 1) / 2
	there, back := makeChannels(k, 0), makeChannels(k, 0)
	done := make(chan struct{})
	wrong := 0
	go selectEcho(k, choose, there, back, done)
	for i := 0; i < rounds; i++ {
		there[i%k] <- i
		at, v := choose(back)
		wrong |= at ^ i%k | v ^ (i + 1)
	}
	there[0] <- -1
	<-done
	check(wrong == 0, "a select took the wrong case or value")
	return 2 * rounds
}
