//! The broker's primary platform: sample book and beginning-of-day import.
