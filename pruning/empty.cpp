namespace mtlprune {}
