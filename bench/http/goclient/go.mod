module tuza/bench/httpclient

go 1.23
