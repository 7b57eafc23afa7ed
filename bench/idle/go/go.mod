module tuza/bench/idle

go 1.23
