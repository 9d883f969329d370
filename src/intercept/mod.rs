//! Interceptors: what changes, drops or adds events between a source and a channel.

pub mod static_;

use crate::component::Spec;
use crate::stage::Interceptor;
use clap::{Args, FromArgMatches};

/// All interceptors.
pub const ALL: &[Spec<Box<dyn Interceptor>>] =
    &[row::<static_::Static>("static").also(&["org.apache.flume.interceptor.StaticInterceptor$Builder"])];

/// The line of an interceptor.
pub const fn row<T: Args + FromArgMatches + Interceptor + 'static>(
    name: &'static str,
) -> Spec<Box<dyn Interceptor>> {
    Spec::new::<T>(name, |matches| Ok(Box::new(T::from_arg_matches(matches)?)))
}
