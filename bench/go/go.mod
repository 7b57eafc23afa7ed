module tuza/bench

go 1.23
