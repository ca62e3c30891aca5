module spillway.dev/build/pause

go 1.24
