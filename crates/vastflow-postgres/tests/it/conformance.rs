//! The rules that every store keeps.

use crate::support::Place;

vastflow_testsuite::conformance!(|| async { Place::fresh() });
