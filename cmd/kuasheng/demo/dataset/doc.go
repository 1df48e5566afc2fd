// Package dataset makes the synthetic data of the demo: people and enterprises of a province, and the databases in which
// its departments keep them.
//
// Nobody in it exists. Every person is born in the nineteenth century, so that no identity number can be a living
// person's, although all check characters, region prefixes and dates are right; every other date is as if they were born a hundred
// years later. Telephone numbers begin with 100, which no subscriber's does, and organisation codes with YY. Departments
// carry the names of real ones and made-up codes.
//
// One province is one consistent world: the person in the housing fund's database is married to the same spouse in the civil
// affairs department's and works for an enterprise that the market regulator knows. Equal arguments give equal files, byte
// for byte. The first ten people and enterprises of a province do not even depend on the seed, so that examples can name
// them.
//
// Reading order: dataset.go (what is made), world.go with person.go, census.go and enterprise.go (the world), housing.go
// and its neighbours (one department's table each), file.go (how it is written), node.go (the configuration of the node
// that publishes it).
package dataset
