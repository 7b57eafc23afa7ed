module tuza/bench/gotrace

go 1.25
