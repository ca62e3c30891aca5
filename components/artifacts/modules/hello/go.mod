module spillway.dev/build/hello

go 1.24
