document.title = "webpack-shop";
