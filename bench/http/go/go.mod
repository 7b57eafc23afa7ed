module tuza/bench/http

go 1.23
