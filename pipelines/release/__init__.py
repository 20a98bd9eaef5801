"""Where private becomes public: the only code that writes the published tables."""
